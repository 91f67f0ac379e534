//! A starter: the level `encodings` of the specification in Rust's standard library, as a port for `capc conformance`.
//!
//!     rustc --edition 2021 -O ports/rust/port.rs -o port && capc conformance run --level encodings --port ./port
//!
//! Take it as the beginning of a port: it needs Rust 1.84 or later and nothing else. What it does not do yet it skips:
//! add operations in `perform`, and states beside them. Models are chains of dense layers here, and rules of section 06
//! about HE primes are not checked.

mod hash;
mod json;

use hash::{sha256, Shake256};
use json::{object, text, word, Json};
use std::io;

const SPEC_VERSION: &str = "0.1.1";
const TAG_XOF: &[u8] = b"CaPC/0.1/xof";
const TAG_PARAMETERS: &[u8] = b"CaPC/0.1/parameters";
const TAG_SESSION: &[u8] = b"CaPC/0.1/session";
const HEADER_BYTES: usize = 44;
const HELLO: i128 = 1;
const HELLO_SLACK: usize = 1 << 18;
const STREAM_LIMIT: usize = 1 << 24;

/// What an operation gives, or what stands in the reply in the place of `out`.
type Outcome<T> = Result<T, (&'static str, Json)>;

fn refusal(code: &str, blame: &str, index: u16) -> (&'static str, Json) {
    ("error", object([("code", text(code)), ("blame", text(blame)), ("party_index", word(index))]))
}

fn errored(why: &str) -> (&'static str, Json) {
    ("errored", text(why))
}

/// Refuses what a caller did wrong.
fn require(holds: bool, code: &str) -> Outcome<()> {
    if holds {
        Ok(())
    } else {
        Err(refusal(code, "caller", 0))
    }
}

fn main() {
    for line in io::stdin().lines() {
        let request = json::parse(&line.expect("a request is text")).expect("a request is JSON");
        let id = request.get("id").cloned().expect("a request has an id");
        let (key, value) = answer(&request).map_or_else(|refused| refused, |out| ("out", out));
        println!("{}", object([("id", id), (key, value)]).canonical());
        if request.get("request") == Some(&text("stop")) {
            return;
        }
    }
}

fn answer(request: &Json) -> Outcome<Json> {
    match string(request, "request")?.as_str() {
        "start" => Ok(object([
            ("name", text("starter")),
            ("language", text("Rust")),
            ("version", text("0.1")),
            ("spec_version", text(SPEC_VERSION)),
            ("snapshots", word(false)),
            ("codes", object([])),
        ])),
        "reset" | "stop" => Ok(object([])),
        "run" => perform(&string(request, "op")?, request, field(request, "in")?),
        other => Err(("skipped", text(format!("{other} is not there yet")))),
    }
}

fn perform(op: &str, request: &Json, given: &Json) -> Outcome<Json> {
    match op {
        "ring_add" | "ring_subtract" | "ring_scale" | "ring_signed" | "mask_and_open" => ring(op, given),
        "elements_to_bytes" | "elements_from_bytes" => elements(op, given),
        "quantise" => quantise(given),
        "xof_read" | "xof_bits" | "xof_below" => xof(op, given),
        "message_seal" | "message_open" => message(op, given),
        "parameters_digest" => {
            let parameters = field(given, "parameters")?;
            check_parameters(parameters)?;
            let digest = hex(&parameters_digest(parameters));
            Ok(object([("canonical", hex(parameters.canonical().as_bytes())), ("digest", digest)]))
        }
        "session_tag" => {
            let session = field(given, "session")?;
            check_session(session)?;
            let digest = parameters_digest(field(session, "parameters")?);
            Ok(object([("tag", hex(&sha256(&[TAG_SESSION, &digest, session.canonical().as_bytes()])))]))
        }
        "hello" | "check_hello" => hello(op, request, given),
        _ => Err(("skipped", text(format!("{op} is not there yet")))),
    }
}

// Fields of requests.

fn field<'a>(value: &'a Json, name: &str) -> Outcome<&'a Json> {
    value.get(name).ok_or_else(|| errored(&format!("{name} is missing")))
}

fn string(value: &Json, name: &str) -> Outcome<String> {
    match field(value, name)? {
        Json::Text(found) => Ok(found.clone()),
        _ => Err(errored(&format!("{name} is no text"))),
    }
}

fn number(value: &Json, name: &str) -> Outcome<i128> {
    field(value, name)?.integer().ok_or_else(|| errored(&format!("{name} is no integer")))
}

fn list<'a>(value: &'a Json, name: &str) -> Outcome<&'a [Json]> {
    match field(value, name)? {
        Json::List(found) => Ok(found),
        _ => Err(errored(&format!("{name} is no list"))),
    }
}

fn bytes(value: &Json, name: &str) -> Outcome<Vec<u8>> {
    let digits = string(value, name)?;
    let pair = |i: usize| u8::from_str_radix(digits.get(i..i + 2)?, 16).ok();
    let read: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(pair).collect();
    read.ok_or_else(|| errored(&format!("{name} is no hex")))
}

fn hex(data: &[u8]) -> Json {
    Json::Text(data.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Integers of the protocol modulo 2^128, of which every ring of this level is a part.
fn integers(value: &Json, name: &str) -> Outcome<Vec<u128>> {
    let found: Option<Vec<u128>> = list(value, name)?.iter().map(|entry| entry.integer().map(|n| n as u128)).collect();
    found.ok_or_else(|| errored(&format!("{name} is no list of integers")))
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Json {
    Json::List(values.into_iter().map(text).collect())
}

// Rings, elements as bytes, fixed point.

fn width_of(given: &Json) -> Outcome<u32> {
    let width = number(given, "width")?;
    require((1..=126).contains(&width), "input_error")?;
    Ok(width as u32)
}

fn ring(op: &str, given: &Json) -> Outcome<Json> {
    let (width, read) = (width_of(given)?, |name: &str| integers(given, name));
    let each = |left: &[u128], right: &[u128], combine: fn(u128, u128) -> u128| -> Vec<u128> {
        left.iter().zip(right.iter().cycle()).map(|(a, b)| combine(*a, *b) & ((1 << width) - 1)).collect()
    };
    let signed = |made: &[u128]| texts(made.iter().map(|e| *e as i128 - (e >> (width - 1) << width) as i128));
    let made = match op {
        "ring_add" => each(&read("left")?, &read("right")?, u128::wrapping_add),
        "ring_subtract" => each(&read("left")?, &read("right")?, u128::wrapping_sub),
        "ring_scale" => each(&read("elements")?, &[number(given, "factor")? as u128], u128::wrapping_mul),
        "ring_signed" => return Ok(object([("values", signed(&read("elements")?))])),
        _ => {
            let masks = read("masks")?;
            let masked = each(&read("values")?, &masks, u128::wrapping_add);
            let opened = signed(&each(&masked, &masks, u128::wrapping_sub));
            return Ok(object([("masked", texts(masked)), ("opened", opened)]));
        }
    };
    Ok(object([("elements", texts(made))]))
}

fn elements(op: &str, given: &Json) -> Outcome<Json> {
    let width = width_of(given)?;
    let length = width.div_ceil(8) as usize;
    if op == "elements_to_bytes" {
        let read = integers(given, "elements")?;
        let data: Vec<u8> = read.iter().flat_map(|element| element.to_le_bytes()[..length].to_vec()).collect();
        return Ok(object([("data", hex(&data))]));
    }
    let data = bytes(given, "data")?;
    require(data.len() % length == 0, "input_error")?;
    let read = |chunk: &[u8]| chunk.iter().rev().fold(0u128, |value, byte| value << 8 | u128::from(*byte));
    let elements: Vec<u128> = data.chunks(length).map(read).collect();
    if elements.iter().any(|element| element >> width != 0) {
        return Err(refusal("value_out_of_range", "sender", 0));
    }
    Ok(object([("elements", texts(elements))]))
}

fn quantise(given: &Json) -> Outcome<Json> {
    let (scale, mut made) = (2f64.powi(number(given, "fraction_bits")? as i32), Vec::new());
    for entry in list(given, "values")? {
        let value: f64 = if let Json::Text(digits) = entry { digits.parse().unwrap_or(f64::NAN) } else { f64::NAN };
        require(value.is_finite(), "input_error")?;
        // Scaling by a power of two is exact; the cast is, as long as the integer has less than 128 bits.
        made.push((value * scale).round_ties_even() as i128);
    }
    Ok(object([("integers", texts(made))]))
}

// The stream of a seed and a label.

fn xof(op: &str, given: &Json) -> Outcome<Json> {
    let (seed, label) = (bytes(given, "seed")?, bytes(given, "label")?);
    require(seed.len() == 32, "input_error")?;
    let mut stream = Stream { squeezed: Shake256::new(&[TAG_XOF, &[32], &seed, &label]), read: 0 };
    let mut drawn = Vec::new();
    match op {
        "xof_read" => {
            let data = stream.read(number(given, "length")? as usize)?;
            return Ok(object([("data", hex(&data))]));
        }
        "xof_bits" => {
            for width in integers(given, "widths")? {
                drawn.push(decimal(stream.bits(width as usize)?));
            }
            return Ok(object([("integers", texts(drawn))]));
        }
        _ => {
            for bound in list(given, "bounds")? {
                drawn.push(decimal(stream.below(from_decimal(bound).ok_or_else(|| errored("a bound is no number"))?)?));
            }
            Ok(object([("integers", texts(drawn)), ("next", hex(&stream.read(8)?))]))
        }
    }
}

struct Stream {
    squeezed: Shake256,
    read: usize,
}

/// Integers of any length are bytes here, the lowest first.
impl Stream {
    fn read(&mut self, length: usize) -> Outcome<Vec<u8>> {
        require(length <= STREAM_LIMIT - self.read, "randomness_exhausted")?;
        self.read += length;
        Ok((0..length).map(|_| self.squeezed.next_byte()).collect())
    }

    fn bits(&mut self, width: usize) -> Outcome<Vec<u8>> {
        let mut drawn = self.read(width.div_ceil(8))?;
        if let (Some(last), rest @ 1..) = (drawn.last_mut(), width % 8) {
            *last &= (1 << rest) - 1;
        }
        Ok(drawn)
    }

    fn below(&mut self, mut largest: Vec<u8>) -> Outcome<Vec<u8>> {
        let lowest = largest.iter().position(|byte| *byte != 0);
        require(lowest.is_some(), "input_error")?;
        largest.iter_mut().take(lowest.unwrap_or(0) + 1).for_each(|byte| *byte = byte.wrapping_sub(1));
        let top = largest.iter().rposition(|byte| *byte != 0);
        let width = top.map_or(0, |place| 8 * (place + 1) - largest[place].leading_zeros() as usize);
        loop {
            let drawn = self.bits(width)?;
            // Both have as many bytes, but for zeros at the end of the bound.
            if drawn.iter().rev().le(largest[..drawn.len()].iter().rev()) {
                return Ok(drawn);
            }
        }
    }
}

fn from_decimal(value: &Json) -> Option<Vec<u8>> {
    let (Json::Text(digits), mut bytes) = (value, vec![0u8]) else { return None };
    for digit in digits.chars() {
        let mut carry = digit.to_digit(10)?;
        for byte in &mut bytes {
            carry += u32::from(*byte) * 10;
            *byte = carry as u8;
            carry >>= 8;
        }
        bytes.push(carry as u8);
    }
    Some(bytes)
}

fn decimal(mut value: Vec<u8>) -> String {
    let mut digits = String::new();
    while digits.is_empty() || value.iter().any(|byte| *byte != 0) {
        let mut rest = 0u32;
        for byte in value.iter_mut().rev() {
            rest = rest << 8 | u32::from(*byte);
            *byte = (rest / 10) as u8;
            rest %= 10;
        }
        digits.insert(0, char::from(b'0' + rest as u8));
    }
    digits
}

// Parties, and the header of every message.

const ROLES: [&str; 3] = ["querying_party", "answering_party", "privacy_guardian"];

#[derive(PartialEq, Clone, Copy)]
struct Party {
    role: u8,
    index: u16,
}

impl Party {
    fn named(name: &str) -> Outcome<Party> {
        match name.strip_prefix("answering_party_").and_then(|digits| digits.parse().ok()) {
            Some(index) => Ok(Party { role: 1, index }),
            None => Party::of_role(name, 0),
        }
    }

    fn of_role(name: &str, index: u16) -> Outcome<Party> {
        let role = ROLES.iter().position(|role| *role == name).ok_or_else(|| errored("there is no such role"))?;
        Ok(Party { role: role as u8, index })
    }

    /// Refuses what the party sent.
    fn require(&self, holds: bool, code: &str) -> Outcome<()> {
        if holds {
            Ok(())
        } else {
            Err(refusal(code, ROLES[self.role as usize], self.index))
        }
    }
}

fn header(kind: i128, tag: &[u8], query: i128, layer: i128, sender: Party, receiver: Party) -> Vec<u8> {
    let mut data = [&[kind as u8], tag, &(query as u32).to_le_bytes(), &[layer as u8]].concat();
    for party in [sender, receiver] {
        data.push(party.role);
        data.extend(party.index.to_le_bytes());
    }
    data
}

/// The payload of a message with this header; the first field that differs is refused.
fn opened<'a>(message: &'a [u8], wanted: &[u8], sender: Party) -> Outcome<&'a [u8]> {
    sender.require(message.len() >= HEADER_BYTES, "malformed_length")?;
    for (place, code) in [
        (0..1, "wrong_message_type"),
        (1..33, "foreign_session"),
        (33..37, "wrong_query"),
        (37..38, "wrong_layer"),
        (38..41, "wrong_sender"),
        (41..44, "wrong_receiver"),
    ] {
        sender.require(message[place.clone()] == wanted[place], code)?;
    }
    Ok(&message[HEADER_BYTES..])
}

fn message(op: &str, given: &Json) -> Outcome<Json> {
    let (tag, count) = (bytes(given, "session_tag")?, |name: &str| number(given, name));
    let party = |name: &str| Party::named(&string(given, name)?);
    let (sender, receiver) = (party("sender")?, party("receiver")?);
    let header = header(count("type")?, &tag, count("query")?, count("layer")?, sender, receiver);
    if op == "message_seal" {
        return Ok(object([("message", hex(&[header, bytes(given, "payload")?].concat()))]));
    }
    let message = bytes(given, "message")?;
    let payload = opened(&message, &header, sender)?;
    sender.require(payload.len() as i128 == count("length")?, "malformed_length")?;
    Ok(object([("payload", hex(payload))]))
}

fn hello(op: &str, request: &Json, given: &Json) -> Outcome<Json> {
    let session = field(field(request, "params")?, "session")?;
    check_session(session)?;
    let own = session.canonical().into_bytes();
    let me = Party::of_role(&string(request, "role")?, number(request, "party_index")? as u16)?;
    if op == "hello" {
        let header = header(HELLO, &[0; 32], 0, 0, me, Party::named(&string(given, "receiver")?)?);
        return Ok(object([("message", hex(&[header, own].concat()))]));
    }
    let (message, sender) = (bytes(given, "message")?, Party::named(&string(given, "sender")?)?);
    let payload = opened(&message, &header(HELLO, &[0; 32], 0, 0, sender, me), sender)?;
    sender.require(payload.len() <= own.len() + HELLO_SLACK, "malformed_length")?;
    if payload == own {
        return Ok(object([]));
    }
    let theirs = std::str::from_utf8(payload).ok().filter(|told| told.is_ascii()).and_then(json::parse);
    sender.require(theirs.is_none_or(|document| document == *session), "parameter_mismatch")?;
    sender.require(false, "non_canonical")?;
    Ok(object([]))
}

// Parameters and sessions: sections 03, 07 and 16.

#[derive(Clone, Copy)]
struct Rational(i128, i128);

impl Rational {
    /// A field of a document that is a rational in lowest terms, or null, or not there.
    fn of(document: &Json, name: &str) -> Outcome<Option<Rational>> {
        let Some(value) = document.get(name) else { return Ok(None) };
        let Json::Text(digits) = value else { return Err(refusal("parameter_error", "caller", 0)) };
        let (above, below) = digits.split_once('/').unwrap_or((digits, "1"));
        let read = |part: &str| part.parse::<i128>().map_err(|_| refusal("parameter_error", "caller", 0));
        Ok(Some(Rational(read(above)?, read(below)?)))
    }

    fn positive(self) -> bool {
        self.0 > 0
    }
}

fn parameters_digest(parameters: &Json) -> [u8; 32] {
    sha256(&[TAG_PARAMETERS, parameters.canonical().as_bytes()])
}

fn check_parameters(document: &Json) -> Outcome<()> {
    require(string(document, "spec_version")? == SPEC_VERSION, "parameter_error")?;
    let (logit, guard) = (number(document, "logit_bits")?, number(document, "guard_bits")?);
    for (name, least, most) in [
        ("guard_bits", 1, 16),
        ("logit_bits", 3, 59 - guard),
        ("vote_bits", 2, 64),
        ("grid_bits", 0, 16),
        ("fraction_bits", 0, logit - 2),
        ("num_classes", 2, 1024),
        ("num_features", 1, 1 << 20),
    ] {
        require((least..=most).contains(&number(document, name)?), "parameter_error")?;
    }
    let primes = integers(document, "he_coefficient_bits")?;
    require(primes.len() >= 2 && primes.iter().all(|bits| (2..=60).contains(bits)), "parameter_error")?;
    check_policy(document)
}

fn check_policy(document: &Json) -> Outcome<()> {
    let rational = |name: &str| Rational::of(document, name);
    let is = |name: &str, value: &str| document.get(name) == Some(&text(value));
    let (threshold, own_sigma) = (rational("threshold")?, rational("threshold_sigma")?);
    let (order, joint) = (rational("renyi_order")?, rational("joint_cost")?);
    let (cost, counted) = (rational("argmax_cost")?, document.get("argmax_queries"));
    let (labels, single) = (cost.is_some() || counted.is_some(), is("threshold_mode", "single_draw"));
    let grid_bits = number(document, "grid_bits")?;
    let rules = [
        rational("sigma")?.is_some_and(Rational::positive),
        rational("epsilon")?.is_some_and(Rational::positive),
        rational("delta")?.is_some_and(|delta| delta.positive() && delta.0 < delta.1),
        threshold.map_or(!single, |t| t.0 >= 0 && (t.0 << grid_bits) % t.1 == 0),
        own_sigma.is_some() == (threshold.is_some() && !single),
        own_sigma.map_or(is("charge", "worst_case"), Rational::positive),
        order.is_some() || counted.is_some() || !(is("mechanism", "skellam") || joint.is_some()),
        order.is_none_or(|order| order.0 > order.1 && order.0 <= order.1 << 20),
        joint.is_none_or(Rational::positive),
        joint.is_none() || own_sigma.is_some() && is("charge", "worst_case") && is("mechanism", "rounded_gaussian"),
        cost.is_none_or(|cost| cost.positive() && order.is_some() && counted.is_none()),
        counted.is_none_or(|n| order.is_none() && n.integer().is_some_and(|n| (1..1 << 32).contains(&n))),
        !labels || joint.is_none() && own_sigma.is_none() && is("charge", "worst_case"),
    ];
    require(rules.iter().all(|holds| *holds), "parameter_error")
}

fn check_session(session: &Json) -> Outcome<()> {
    let (parameters, participants) = (field(session, "parameters")?, list(session, "participants")?);
    check_parameters(parameters)?;
    require((3..=4098).contains(&participants.len()), "parameter_error")?;
    require(bytes(session, "session_id")?.len() == 32, "parameter_error")?;
    let (last, mut seen) = (participants.len() - 1, Vec::new());
    for (place, participant) in participants.iter().enumerate() {
        let (first, answers) = (place == 0, place != 0 && place != last);
        let role = if first { 0 } else { 2 - u8::from(answers) };
        let wanted = Party { role, index: if answers { place as u16 } else { 0 } };
        require(Party::named(&string(participant, "party")?)? == wanted, "parameter_error")?;
        let identity = bytes(participant, "identity")?;
        require(identity.len() == 32 && !seen.contains(&identity), "parameter_error")?;
        seen.push(identity);
        let fits = match participant.get("architecture") {
            Some(Json::List(stages)) => answers && is_chain(stages, parameters)?,
            other => other.is_none() && !answers,
        };
        require(fits, "parameter_error")?;
    }
    check_votes(parameters, last as i128 - 1)
}

/// Whether dense stages lead from the features to a logit for each class.
fn is_chain(stages: &[Json], parameters: &Json) -> Outcome<bool> {
    let mut lengths = vec![number(parameters, "num_features")?];
    for stage in stages {
        let operator = field(stage, "operator")?;
        if string(operator, "kind")? != "dense" {
            return Err(("skipped", text("only dense layers are there yet")));
        }
        if lengths.get(number(stage, "source")? as usize) != Some(&number(operator, "inputs")?) {
            return Ok(false);
        }
        lengths.push(number(operator, "outputs")?);
    }
    Ok(lengths.len() > 1 && lengths.last() == Some(&number(parameters, "num_classes")?))
}

/// CAPC-PARAM-031 to 033: votes and noise fit the ring, and the threshold is not above the votes.
fn check_votes(parameters: &Json, votes: i128) -> Outcome<()> {
    let threshold = Rational::of(parameters, "threshold")?;
    require(threshold.is_none_or(|t| t.0 <= votes * t.1), "parameter_error")?;
    let own_sigma = Rational::of(parameters, "threshold_sigma")?;
    let realised = parameters.get("charge") == Some(&text("realised"));
    let draws = own_sigma.map_or(0, |_| if realised { 2 } else { 1 });
    let bound = |sigma: Rational| noise_bound(parameters, sigma, draws).ok_or(refusal("parameter_error", "caller", 0));
    let mut noise = Rational::of(parameters, "sigma")?.map_or(Ok(0), bound)?;
    if let Some(own) = own_sigma {
        noise = noise.max(draws * bound(own)?);
    }
    let reached = (votes << number(parameters, "grid_bits")?) + noise;
    require(reached < 1 << (number(parameters, "vote_bits")? - 1), "parameter_error")
}

/// t(s) of section 03, in units of the grid; None if it is beyond all rings.
fn noise_bound(parameters: &Json, sigma: Rational, draws: i128) -> Option<i128> {
    let outcomes = 4 * parameters.get("num_classes")?.integer()? * (1 + draws);
    let nats = (failure_bits(parameters)? + bit_length(outcomes)) * 6932; // in units of 1 / 10000
    let scaled = sigma.0.checked_shl(parameters.get("grid_bits")?.integer()? as u32)?;
    let (square, below) = (scaled.checked_mul(scaled)?.checked_mul(2 * nats)?, sigma.1 * sigma.1 * 10_000);
    if parameters.get("mechanism") != Some(&text("skellam")) {
        return Some(1 + ceil_sqrt(square, below));
    }
    let with_third = square.checked_mul(90_000)? + nats * nats * sigma.1 * sigma.1;
    Some(ceil_sqrt(with_third, below * 90_000) + (nats + 29_999) / 30_000)
}

/// f of section 03: more where labels are charged, as wraps cost privacy then.
fn failure_bits(parameters: &Json) -> Option<i128> {
    if parameters.get("argmax_cost").is_none() && parameters.get("argmax_queries").is_none() {
        return Some(40);
    }
    let rational = |name: &str| Rational::of(parameters, name).ok().flatten();
    let (epsilon, delta) = (rational("epsilon")?, rational("delta")?);
    let unit = epsilon.1.checked_mul(10_000)?;
    let of_epsilon = (epsilon.0.checked_mul(14_427)? + unit - 1) / unit;
    Some((53 + of_epsilon + bit_length((delta.1 + delta.0 - 1) / delta.0)).max(40))
}

fn bit_length(number: i128) -> i128 {
    i128::from(128 - number.leading_zeros())
}

/// The smallest integer whose square is at least above / below.
fn ceil_sqrt(above: i128, below: i128) -> i128 {
    let mut root = (above / below).isqrt();
    while root * root * below < above {
        root += 1;
    }
    root
}
