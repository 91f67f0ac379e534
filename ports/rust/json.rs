//! JSON with sorted keys and without spaces, which is the canonical form of documents.

use std::collections::BTreeMap;

/// A value. Numbers are kept as they were written: a document has integers only, and no other text is equal to one.
#[derive(Clone, PartialEq)]
pub enum Json {
    /// Numbers, `null`, `true` and `false`.
    Word(String),
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

pub fn text(value: impl ToString) -> Json {
    Json::Text(value.to_string())
}

pub fn word(value: impl ToString) -> Json {
    Json::Word(value.to_string())
}

impl Json {
    /// A field of an object, unless it is null.
    pub fn get(&self, name: &str) -> Option<&Json> {
        match self {
            Json::Object(fields) => fields.get(name).filter(|value| **value != word("null")),
            _ => None,
        }
    }

    /// The integer that this is, as a number or as a text.
    pub fn integer(&self) -> Option<i128> {
        match self {
            Json::Word(digits) | Json::Text(digits) => digits.parse().ok(),
            _ => None,
        }
    }

    /// The one text of this value.
    pub fn canonical(&self) -> String {
        match self {
            Json::Word(value) => value.clone(),
            Json::Text(value) => quoted(value),
            Json::List(entries) => {
                let entries: Vec<String> = entries.iter().map(Json::canonical).collect();
                format!("[{}]", entries.join(","))
            }
            Json::Object(fields) => {
                let told = |(name, value): (&String, &Json)| format!("{}:{}", quoted(name), value.canonical());
                let fields: Vec<String> = fields.iter().map(told).collect();
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
        if !self.take("{") {
            return self.word();
        }
        let mut fields = BTreeMap::new();
        while !self.take("}") {
            let expected = (fields.is_empty() || self.take(",")) && self.take("\"");
            let name = if expected { self.string()? } else { return None };
            let value = if self.take(":") { self.value(depth + 1)? } else { return None };
            fields.insert(name, value);
        }
        Some(Json::Object(fields))
    }

    fn word(&mut self) -> Option<Json> {
        let end = self.rest.find(|c: char| !c.is_ascii_alphanumeric() && !"+-.".contains(c));
        let (found, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        self.rest = rest;
        let digits = found.trim_start_matches('-').as_bytes();
        let leading = matches!(digits, [b'0', b'0'..=b'9', ..]) || !digits.first().is_some_and(u8::is_ascii_digit);
        let number = found.len() <= LONGEST_NUMBER && found.parse::<f64>().is_ok() && !leading;
        (number || ["null", "true", "false"].contains(&found)).then(|| word(found))
    }

    /// The rest of a string, after its first quotation mark.
    fn string(&mut self) -> Option<String> {
        let mut units: Vec<u16> = Vec::new();
        let mut chars = self.rest.chars();
        loop {
            let found = chars.next()?;
            if found == '"' {
                break;
            }
            if found != '\\' {
                units.extend(Some(found).filter(|char| *char >= ' ')?.encode_utf16(&mut [0; 2]).iter());
                continue;
            }
            let escaped = chars.next()?;
            if escaped == 'u' {
                let digits: String = chars.by_ref().take(4).collect();
                let whole = digits.len() == 4 && digits.bytes().all(|c| c.is_ascii_hexdigit());
                units.push(u16::from_str_radix(&digits, 16).ok().filter(|_| whole)?);
            } else {
                let place = "\"\\/btnfr".find(escaped)?;
                units.push(u16::from(b"\"\\/\x08\t\n\x0c\r"[place]));
            }
        }
        self.rest = chars.as_str();
        String::from_utf16(&units).ok()
    }
}
