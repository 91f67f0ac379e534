//! JSON with sorted keys and without spaces, which is the canonical form of documents; and decimals of any length.

use std::collections::BTreeMap;

/// A value. Numbers are kept as they were written: a document has integers only, and no other text is equal to one.
#[derive(Clone, PartialEq)]
pub enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Json>),
    Object(BTreeMap<String, Json>),
}

const DEEPEST: usize = 64;
const LONGEST_NUMBER: usize = 40;

/// An object of these fields.
pub fn object<const N: usize>(fields: [(&str, Json); N]) -> Json {
    Json::Object(fields.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

/// A text.
pub fn text(value: &str) -> Json {
    Json::Text(value.to_string())
}

impl Json {
    /// A number.
    pub fn number(value: i128) -> Json {
        Json::Number(value.to_string())
    }

    /// The integer that this is, if it is one.
    pub fn integer(&self) -> Option<i128> {
        match self {
            Json::Number(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// A field of an object.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.get(name),
            _ => None,
        }
    }

    /// The one text of this value.
    pub fn canonical(&self) -> String {
        match self {
            Json::Null => "null".into(),
            Json::Bool(value) => value.to_string(),
            Json::Number(digits) => digits.clone(),
            Json::Text(value) => quoted(value),
            Json::List(entries) => {
                let entries: Vec<String> = entries.iter().map(Json::canonical).collect();
                format!("[{}]", entries.join(","))
            }
            Json::Object(fields) => {
                let fields: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{}:{}", quoted(name), value.canonical())).collect();
                format!("{{{}}}", fields.join(","))
            }
        }
    }
}

fn quoted(value: &str) -> String {
    let mut out = String::from("\"");
    for unit in value.encode_utf16() {
        match unit {
            0x22 | 0x5c => out.extend(['\\', char::from(unit as u8)]),
            0x20..=0x7e => out.push(char::from(unit as u8)),
            _ => out += &format!("\\u{unit:04x}"),
        }
    }
    out + "\""
}

/// The value of a text; None if it is no JSON, is nested too deeply or has a number too long for any document.
pub fn parse(text: &str) -> Option<Json> {
    let mut reader = Reader { rest: text };
    let value = reader.value(0)?;
    reader.skip();
    reader.rest.is_empty().then_some(value)
}

struct Reader<'a> {
    rest: &'a str,
}

impl Reader<'_> {
    fn skip(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, token: &str) -> bool {
        self.skip();
        let found = self.rest.strip_prefix(token);
        self.rest = found.unwrap_or(self.rest);
        found.is_some()
    }

    fn value(&mut self, depth: usize) -> Option<Json> {
        if depth > DEEPEST {
            return None;
        }
        for (token, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))] {
            if self.take(token) {
                return Some(value);
            }
        }
        if self.take("\"") {
            return self.string().map(Json::Text);
        }
        if self.take("[") {
            let mut entries = Vec::new();
            while !self.take("]") {
                if !entries.is_empty() && !self.take(",") {
                    return None;
                }
                entries.push(self.value(depth + 1)?);
            }
            return Some(Json::List(entries));
        }
        if self.take("{") {
            let mut fields = BTreeMap::new();
            while !self.take("}") {
                if !fields.is_empty() && !self.take(",") || !self.take("\"") {
                    return None;
                }
                let name = self.string()?;
                if !self.take(":") {
                    return None;
                }
                fields.insert(name, self.value(depth + 1)?);
            }
            return Some(Json::Object(fields));
        }
        self.number()
    }

    fn number(&mut self) -> Option<Json> {
        let end = self.rest.find(|c: char| !matches!(c, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'));
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let plain = digits.trim_start_matches('-');
        let leading = plain.len() > 1 && plain.starts_with('0') && plain.as_bytes()[1].is_ascii_digit();
        let valid = digits.len() <= LONGEST_NUMBER && digits.parse::<f64>().is_ok() && !leading;
        (valid && !digits.starts_with('+')).then(|| Json::Number(digits.to_string()))
    }

    /// The rest of a string, after its first quotation mark.
    fn string(&mut self) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        let mut chars = self.rest.chars();
        loop {
            match chars.next()? {
                '"' => break,
                '\\' => units.push(match chars.next()? {
                    'b' => 8,
                    't' => 9,
                    'n' => 10,
                    'f' => 12,
                    'r' => 13,
                    'u' => {
                        let digits: String = chars.by_ref().take(4).collect();
                        let whole = digits.len() == 4 && digits.bytes().all(|c| c.is_ascii_hexdigit());
                        u16::from_str_radix(&digits, 16).ok().filter(|_| whole)?
                    }
                    other @ ('"' | '\\' | '/') => other as u16,
                    _ => return None,
                }),
                other if (other as u32) < 0x20 => return None,
                other => units.extend(other.encode_utf16(&mut [0; 2]).iter()),
            }
        }
        self.rest = chars.as_str();
        String::from_utf16(&units).ok()
    }
}

/// The bytes of a decimal of any length, the lowest first.
pub fn from_decimal(digits: &str) -> Option<Vec<u8>> {
    let mut value = vec![0u8];
    for digit in digits.chars() {
        let mut carry = digit.to_digit(10)?;
        for byte in &mut value {
            carry += u32::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
        if carry > 0 {
            value.push(carry as u8);
        }
    }
    (!digits.is_empty()).then_some(value)
}

/// The decimal of bytes, the lowest first.
pub fn decimal(bytes: &[u8]) -> String {
    let (mut value, mut digits) = (bytes.to_vec(), Vec::new());
    while value.iter().any(|byte| *byte != 0) {
        let mut rest = 0u32;
        for byte in value.iter_mut().rev() {
            rest = rest << 8 | u32::from(*byte);
            *byte = (rest / 10) as u8;
            rest %= 10;
        }
        digits.push(char::from(b'0' + rest as u8));
    }
    if digits.is_empty() {
        digits.push('0');
    }
    digits.iter().rev().collect()
}
