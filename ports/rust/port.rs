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
use json::{object, text, Json};
use std::collections::BTreeSet;
use std::io::{self, BufRead, Write};

const SPEC_VERSION: &str = "0.1.1";
const TAG_XOF: &[u8] = b"CaPC/0.1/xof";
const TAG_PARAMETERS: &[u8] = b"CaPC/0.1/parameters";
const TAG_SESSION: &[u8] = b"CaPC/0.1/session";
const HEADER_BYTES: usize = 44;
const HELLO: i128 = 1;
const HELLO_SLACK: usize = 1 << 18;
const STREAM_LIMIT: usize = 1 << 24;

/// Why there is no output.
enum Refusal {
    Error(&'static str, &'static str, i128),
    Skipped(String),
    Errored(String),
}

use Refusal::{Error, Errored, Skipped};
type Outcome<T> = Result<T, Refusal>;

const INPUT_ERROR: Refusal = Error("input_error", "caller", 0);
const PARAMETER_ERROR: Refusal = Error("parameter_error", "caller", 0);

fn require(holds: bool, refusal: Refusal) -> Outcome<()> {
    if holds {
        Ok(())
    } else {
        Err(refusal)
    }
}

fn main() {
    let mut replies = io::stdout().lock();
    for line in io::stdin().lock().lines() {
        let line = line.expect("a request is text");
        let request = json::parse(&line).expect("a request is JSON");
        let id = request.get("id").cloned().expect("a request has an id");
        let kind = string(&request, "request").unwrap_or_default();
        let (key, value) = match answer(&kind, &request) {
            Ok(out) => ("out", out),
            Err(Error(code, blame, index)) => {
                ("error", object([("code", text(code)), ("blame", text(blame)), ("party_index", Json::number(index))]))
            }
            Err(Skipped(why)) => ("skipped", Json::Text(why)),
            Err(Errored(why)) => ("errored", Json::Text(why)),
        };
        writeln!(replies, "{}", object([("id", id), (key, value)]).canonical()).expect("somebody reads");
        replies.flush().expect("somebody reads");
        if kind == "stop" {
            return;
        }
    }
}

fn answer(kind: &str, request: &Json) -> Outcome<Json> {
    match kind {
        "start" => Ok(object([
            ("name", text("starter")),
            ("language", text("Rust")),
            ("version", text("0.1")),
            ("spec_version", text(SPEC_VERSION)),
            ("snapshots", Json::Bool(false)),
            ("codes", object([])),
        ])),
        "reset" | "stop" => Ok(object([])),
        "run" => perform(&string(request, "op")?, request, field(request, "in")?),
        other => Err(Errored(format!("request {other:?} is unknown"))),
    }
}

fn perform(op: &str, request: &Json, given: &Json) -> Outcome<Json> {
    match op {
        "ring_add" | "ring_subtract" | "ring_scale" | "ring_signed" | "mask_and_open" => ring(op, given),
        "elements_to_bytes" => elements_to_bytes(given),
        "elements_from_bytes" => elements_from_bytes(given),
        "quantise" => quantise(given),
        "xof_read" | "xof_bits" | "xof_below" => xof(op, given),
        "message_seal" => {
            let message = [Header::from_fields(given)?.bytes(), bytes(given, "payload")?].concat();
            Ok(object([("message", hex(&message))]))
        }
        "message_open" => {
            let message = bytes(given, "message")?;
            let header = Header::from_fields(given)?;
            header.check(&message)?;
            let fits = (message.len() - HEADER_BYTES) as i128 == number(given, "length")?;
            require(fits, header.sender.fault("malformed_length"))?;
            Ok(object([("payload", hex(&message[HEADER_BYTES..]))]))
        }
        "parameters_digest" => {
            let parameters = field(given, "parameters")?;
            check_parameters(parameters)?;
            let digest = parameters_digest(parameters);
            Ok(object([("canonical", hex(parameters.canonical().as_bytes())), ("digest", hex(&digest))]))
        }
        "session_tag" => {
            let session = field(given, "session")?;
            check_session(session)?;
            let digest = parameters_digest(field(session, "parameters")?);
            let tag = sha256(&[TAG_SESSION, &digest, session.canonical().as_bytes()]);
            Ok(object([("tag", hex(&tag))]))
        }
        "hello" | "check_hello" => hello(op, request, given),
        _ => Err(Skipped(format!("{op} is not there yet"))),
    }
}

// Fields of requests.

fn field<'a>(value: &'a Json, name: &str) -> Outcome<&'a Json> {
    value.get(name).ok_or_else(|| Errored(format!("{name} is missing")))
}

fn string(value: &Json, name: &str) -> Outcome<String> {
    match field(value, name)? {
        Json::Text(found) => Ok(found.clone()),
        _ => Err(Errored(format!("{name} is no text"))),
    }
}

fn number(value: &Json, name: &str) -> Outcome<i128> {
    field(value, name)?.integer().ok_or_else(|| Errored(format!("{name} is no integer")))
}

fn list<'a>(value: &'a Json, name: &str) -> Outcome<&'a [Json]> {
    match field(value, name)? {
        Json::List(found) => Ok(found),
        _ => Err(Errored(format!("{name} is no list"))),
    }
}

fn bytes(value: &Json, name: &str) -> Outcome<Vec<u8>> {
    let digits = string(value, name)?;
    let whole = digits.is_ascii() && digits.len() % 2 == 0;
    let pairs = (0..digits.len() / 2).map(|i| u8::from_str_radix(digits.get(2 * i..2 * i + 2)?, 16).ok());
    let read: Option<Vec<u8>> = if whole { pairs.collect() } else { None };
    read.ok_or_else(|| Errored(format!("{name} is no hex")))
}

fn hex(data: &[u8]) -> Json {
    Json::Text(data.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Integers of the protocol modulo 2^128, of which every ring of this level is a part.
fn integers(value: &Json, name: &str) -> Outcome<Vec<u128>> {
    let read = |entry: &Json| match entry {
        Json::Text(digits) => digits.parse::<u128>().ok().or_else(|| digits.parse::<i128>().ok().map(|n| n as u128)),
        _ => None,
    };
    let found: Option<Vec<u128>> = list(value, name)?.iter().map(read).collect();
    found.ok_or_else(|| Errored(format!("{name} is no list of integers")))
}

fn texts<T: ToString>(values: impl IntoIterator<Item = T>) -> Json {
    Json::List(values.into_iter().map(|value| Json::Text(value.to_string())).collect())
}

// Rings, elements as bytes, fixed point.

fn width_of(given: &Json) -> Outcome<u32> {
    let width = number(given, "width")?;
    require((1..=127).contains(&width), INPUT_ERROR)?;
    Ok(width as u32)
}

fn ring(op: &str, given: &Json) -> Outcome<Json> {
    let width = width_of(given)?;
    let mask = (1u128 << width) - 1;
    let signed = |element: &u128| *element as i128 - if element >> (width - 1) == 1 { 1i128 << width } else { 0 };
    let pairwise = |left: &[u128], right: &[u128], combine: fn(u128, u128) -> u128| -> Vec<u128> {
        left.iter().zip(right).map(|(a, b)| combine(*a, *b) & mask).collect()
    };
    if op == "ring_add" || op == "ring_subtract" {
        let combine = if op == "ring_add" { u128::wrapping_add } else { u128::wrapping_sub };
        let elements = pairwise(&integers(given, "left")?, &integers(given, "right")?, combine);
        return Ok(object([("elements", texts(elements))]));
    }
    if op == "mask_and_open" {
        let masks = integers(given, "masks")?;
        let masked = pairwise(&integers(given, "values")?, &masks, u128::wrapping_add);
        let opened = pairwise(&masked, &masks, u128::wrapping_sub);
        return Ok(object([("masked", texts(masked)), ("opened", texts(opened.iter().map(signed)))]));
    }
    let elements = integers(given, "elements")?;
    if op == "ring_signed" {
        return Ok(object([("values", texts(elements.iter().map(signed)))]));
    }
    let factor: i128 = string(given, "factor")?.parse().map_err(|_| INPUT_ERROR)?;
    let scaled = elements.iter().map(|element| element.wrapping_mul(factor as u128) & mask);
    Ok(object([("elements", texts(scaled))]))
}

fn elements_to_bytes(given: &Json) -> Outcome<Json> {
    let length = width_of(given)?.div_ceil(8) as usize;
    let elements = integers(given, "elements")?;
    let data: Vec<u8> = elements.iter().flat_map(|element| element.to_le_bytes()[..length].to_vec()).collect();
    Ok(object([("data", hex(&data))]))
}

fn elements_from_bytes(given: &Json) -> Outcome<Json> {
    let (width, data) = (width_of(given)?, bytes(given, "data")?);
    let length = width.div_ceil(8) as usize;
    require(data.len() % length == 0, Error("malformed_length", "sender", 0))?;
    let read = |chunk: &[u8]| chunk.iter().rev().fold(0u128, |value, byte| value << 8 | u128::from(*byte));
    let elements: Vec<u128> = data.chunks(length).map(read).collect();
    let fits = elements.iter().all(|element| element >> width == 0);
    require(fits, Error("value_out_of_range", "sender", 0))?;
    Ok(object([("elements", texts(elements))]))
}

fn quantise(given: &Json) -> Outcome<Json> {
    let scale = 2f64.powi(number(given, "fraction_bits")? as i32);
    let read = |entry: &Json| match entry {
        Json::Text(digits) => digits.parse::<f64>().ok().filter(|value| value.is_finite()),
        _ => None,
    };
    let values: Option<Vec<f64>> = list(given, "values")?.iter().map(read).collect();
    let values = values.ok_or(INPUT_ERROR)?;
    // Scaling by a power of two is exact; the cast is, as long as the integer has less than 128 bits.
    Ok(object([("integers", texts(values.iter().map(|value| (value * scale).round_ties_even() as i128)))]))
}

// The stream of a seed and a label.

fn xof(op: &str, given: &Json) -> Outcome<Json> {
    let (seed, label) = (bytes(given, "seed")?, bytes(given, "label")?);
    require(seed.len() == 32, INPUT_ERROR)?;
    let mut stream = Stream { squeezed: Shake256::new(&[TAG_XOF, &[32], &seed, &label]), read: 0 };
    if op == "xof_read" {
        let data = stream.read(number(given, "length")? as usize)?;
        return Ok(object([("data", hex(&data))]));
    }
    if op == "xof_bits" {
        let mut drawn = Vec::new();
        for width in list(given, "widths")? {
            let width = width.integer().ok_or(INPUT_ERROR)? as usize;
            drawn.push(json::decimal(&stream.bits(width)?));
        }
        return Ok(object([("integers", texts(drawn))]));
    }
    let mut drawn = Vec::new();
    for bound in list(given, "bounds")? {
        let Json::Text(digits) = bound else { return Err(INPUT_ERROR) };
        let bound = json::from_decimal(digits).ok_or(INPUT_ERROR)?;
        drawn.push(json::decimal(&stream.below(&bound)?));
    }
    Ok(object([("integers", texts(drawn)), ("next", hex(&stream.read(8)?))]))
}

struct Stream {
    squeezed: Shake256,
    read: usize,
}

/// Integers of any length are bytes here, the lowest first.
impl Stream {
    fn read(&mut self, length: usize) -> Outcome<Vec<u8>> {
        let fits = length <= STREAM_LIMIT - self.read;
        require(fits, Error("randomness_exhausted", "caller", 0))?;
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

    fn below(&mut self, bound: &[u8]) -> Outcome<Vec<u8>> {
        require(bound.iter().any(|byte| *byte != 0), INPUT_ERROR)?;
        let mut largest = bound.to_vec();
        for byte in &mut largest {
            let (less, borrow) = byte.overflowing_sub(1);
            *byte = less;
            if !borrow {
                break;
            }
        }
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

// Parties, and the header of every message.

#[derive(PartialEq, Clone, Copy)]
struct Party {
    role: u8,
    index: u16,
}

const ROLES: [&str; 3] = ["querying_party", "answering_party", "privacy_guardian"];

impl Party {
    fn named(name: &str) -> Outcome<Party> {
        let role =
            ROLES.iter().position(|role| *role == name || name.starts_with("answering_party_") && *role == ROLES[1]);
        let index = if role == Some(1) { name[ROLES[1].len()..].trim_start_matches('_').parse().ok() } else { Some(0) };
        match (role, index) {
            (Some(role), Some(index)) => Ok(Party { role: role as u8, index }),
            _ => Err(Errored(format!("{name:?} is no party"))),
        }
    }

    fn acting(request: &Json) -> Outcome<Party> {
        let role = string(request, "role")?;
        let role = ROLES.iter().position(|known| *known == role);
        let index = number(request, "party_index")? as u16;
        role.map(|role| Party { role: role as u8, index }).ok_or_else(|| Errored("role is unknown".into()))
    }

    fn fault(&self, code: &'static str) -> Refusal {
        Error(code, ROLES[self.role as usize], i128::from(self.index))
    }
}

struct Header {
    kind: i128,
    tag: Vec<u8>,
    query: i128,
    layer: i128,
    sender: Party,
    receiver: Party,
}

impl Header {
    fn from_fields(given: &Json) -> Outcome<Header> {
        Ok(Header {
            kind: number(given, "type")?,
            tag: bytes(given, "session_tag")?,
            query: number(given, "query")?,
            layer: number(given, "layer")?,
            sender: Party::named(&string(given, "sender")?)?,
            receiver: Party::named(&string(given, "receiver")?)?,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let mut data = vec![self.kind as u8];
        data.extend(&self.tag);
        data.extend((self.query as u32).to_le_bytes());
        data.push(self.layer as u8);
        for party in [self.sender, self.receiver] {
            data.push(party.role);
            data.extend(party.index.to_le_bytes());
        }
        data
    }

    /// Refuses the first field that differs, in their order.
    fn check(&self, message: &[u8]) -> Outcome<()> {
        require(message.len() >= HEADER_BYTES, self.sender.fault("malformed_length"))?;
        let wanted = self.bytes();
        let fields = [
            (0..1, "wrong_message_type"),
            (1..33, "foreign_session"),
            (33..37, "wrong_query"),
            (37..38, "wrong_layer"),
            (38..41, "wrong_sender"),
            (41..44, "wrong_receiver"),
        ];
        for (place, code) in fields {
            require(message[place.clone()] == wanted[place], self.sender.fault(code))?;
        }
        Ok(())
    }
}

fn hello(op: &str, request: &Json, given: &Json) -> Outcome<Json> {
    let session = field(field(request, "params")?, "session")?;
    check_session(session)?;
    let (own, me) = (session.canonical().into_bytes(), Party::acting(request)?);
    let other = Party::named(&string(given, if op == "hello" { "receiver" } else { "sender" })?)?;
    let (sender, receiver) = if op == "hello" { (me, other) } else { (other, me) };
    let header = Header { kind: HELLO, tag: vec![0; 32], query: 0, layer: 0, sender, receiver };
    if op == "hello" {
        return Ok(object([("message", hex(&[header.bytes(), own].concat()))]));
    }
    let message = bytes(given, "message")?;
    header.check(&message)?;
    require(message.len() <= HEADER_BYTES + own.len() + HELLO_SLACK, sender.fault("malformed_length"))?;
    let payload = &message[HEADER_BYTES..];
    if payload == own {
        return Ok(object([]));
    }
    let theirs = std::str::from_utf8(payload).ok().filter(|told| told.is_ascii()).and_then(json::parse);
    let code = match theirs {
        Some(document) if document != *session => "parameter_mismatch",
        _ => "non_canonical",
    };
    Err(sender.fault(code))
}

// Parameters and sessions: sections 03 and 07.

#[derive(Clone, Copy)]
struct Rational(i128, i128);

impl Rational {
    /// A field of a document that is a rational in lowest terms, or null, or not there.
    fn of(document: &Json, name: &str) -> Outcome<Option<Rational>> {
        let digits = match document.get(name) {
            None | Some(Json::Null) => return Ok(None),
            Some(Json::Text(digits)) => digits,
            _ => return Err(PARAMETER_ERROR),
        };
        let (above, below) = digits.split_once('/').unwrap_or((digits, "1"));
        let read = |part: &str| part.parse::<i128>().map_err(|_| PARAMETER_ERROR);
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
    require(string(document, "spec_version")? == SPEC_VERSION, PARAMETER_ERROR)?;
    let count = |name: &str| number(document, name);
    let (logit, guard) = (count("logit_bits")?, count("guard_bits")?);
    for (name, least, most) in [
        ("guard_bits", 1, 16),
        ("logit_bits", 3, 59 - guard),
        ("vote_bits", 2, 64),
        ("grid_bits", 0, 16),
        ("fraction_bits", 0, logit - 2),
        ("num_classes", 2, 1024),
        ("num_features", 1, 1 << 20),
    ] {
        require((least..=most).contains(&count(name)?), PARAMETER_ERROR)?;
    }
    let primes = list(document, "he_coefficient_bits")?;
    let sized = primes.iter().all(|bits| bits.integer().is_some_and(|bits| (2..=60).contains(&bits)));
    require(primes.len() >= 2 && sized, PARAMETER_ERROR)?;
    check_policy(document)
}

fn check_policy(document: &Json) -> Outcome<()> {
    let rational = |name: &str| Rational::of(document, name);
    let is = |name: &str, value: &str| document.get(name) == Some(&text(value));
    let (threshold, own_sigma) = (rational("threshold")?, rational("threshold_sigma")?);
    let (order, joint) = (rational("renyi_order")?, rational("joint_cost")?);
    let (cost, counted) = (rational("argmax_cost")?, document.get("argmax_queries"));
    let labels = cost.is_some() || counted.is_some();
    let single = is("threshold_mode", "single_draw");
    let delta = rational("delta")?.is_some_and(|delta| delta.positive() && delta.0 < delta.1);
    let on_the_grid = |t: Rational| t.0 >= 0 && (t.0 << number(document, "grid_bits").unwrap_or(0)) % t.1 == 0;
    let rules = [
        rational("sigma")?.is_some_and(Rational::positive),
        rational("epsilon")?.is_some_and(Rational::positive),
        delta,
        threshold.map_or(!single, on_the_grid),
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
    require(rules.iter().all(|holds| *holds), PARAMETER_ERROR)
}

fn check_session(session: &Json) -> Outcome<()> {
    let parameters = field(session, "parameters")?;
    check_parameters(parameters)?;
    let participants = list(session, "participants")?;
    require((3..=4098).contains(&participants.len()), PARAMETER_ERROR)?;
    require(bytes(session, "session_id")?.len() == 32, PARAMETER_ERROR)?;
    let (last, mut seen) = (participants.len() - 1, BTreeSet::new());
    for (place, participant) in participants.iter().enumerate() {
        let role = if place == 0 {
            0
        } else if place == last {
            2
        } else {
            1
        };
        let wanted = Party { role, index: if role == 1 { place as u16 } else { 0 } };
        require(Party::named(&string(participant, "party")?)? == wanted, PARAMETER_ERROR)?;
        let identity = bytes(participant, "identity")?;
        require(identity.len() == 32 && seen.insert(identity), PARAMETER_ERROR)?;
        match field(participant, "architecture")? {
            Json::Null => require(role != 1, PARAMETER_ERROR)?,
            Json::List(stages) => require(role == 1 && is_chain(stages, parameters)?, PARAMETER_ERROR)?,
            _ => return Err(PARAMETER_ERROR),
        }
    }
    check_votes(parameters, last as i128 - 1)
}

/// Whether dense stages lead from the features to a logit for each class.
fn is_chain(stages: &[Json], parameters: &Json) -> Outcome<bool> {
    let mut lengths = vec![number(parameters, "num_features")?];
    for stage in stages {
        let operator = field(stage, "operator")?;
        if string(operator, "kind")? != "dense" {
            return Err(Skipped("only dense layers are there yet".into()));
        }
        let source = lengths.get(number(stage, "source")? as usize);
        if source != Some(&number(operator, "inputs")?) {
            return Ok(false);
        }
        lengths.push(number(operator, "outputs")?);
    }
    Ok(lengths.len() > 1 && lengths.last() == Some(&number(parameters, "num_classes")?))
}

/// CAPC-PARAM-031 to 033: votes and noise fit the ring, and the threshold is not above the votes.
fn check_votes(parameters: &Json, votes: i128) -> Outcome<()> {
    let threshold = Rational::of(parameters, "threshold")?;
    require(threshold.is_none_or(|t| t.0 <= votes * t.1), PARAMETER_ERROR)?;
    let own_sigma = Rational::of(parameters, "threshold_sigma")?;
    let realised = parameters.get("charge") == Some(&text("realised"));
    let draws = own_sigma.map_or(0, |_| if realised { 2 } else { 1 });
    let sigma = Rational::of(parameters, "sigma")?.ok_or(PARAMETER_ERROR)?;
    let mut noise = noise_bound(parameters, sigma, draws)?;
    if let Some(own) = own_sigma {
        noise = noise.max(draws * noise_bound(parameters, own, draws)?);
    }
    let reached = (votes << number(parameters, "grid_bits")?) + noise;
    require(reached < 1 << (number(parameters, "vote_bits")? - 1), PARAMETER_ERROR)
}

/// t(s) of section 03, in units of the grid.
fn noise_bound(parameters: &Json, sigma: Rational, draws: i128) -> Outcome<i128> {
    let outcomes = 4 * number(parameters, "num_classes")? * (1 + draws);
    let nats = (failure_bits(parameters)? + bit_length(outcomes)) * 6932; // in units of 1 / 10000
    let scaled = sigma.0.checked_shl(number(parameters, "grid_bits")? as u32);
    let square = scaled.and_then(|s| s.checked_mul(s)).and_then(|s| s.checked_mul(2 * nats));
    let (square, below) = (square.ok_or(PARAMETER_ERROR)?, sigma.1 * sigma.1 * 10_000);
    if parameters.get("mechanism") != Some(&text("skellam")) {
        return Ok(1 + ceil_sqrt(square, below));
    }
    let with_third = square.checked_mul(90_000).ok_or(PARAMETER_ERROR)? + nats * nats * sigma.1 * sigma.1;
    Ok(ceil_sqrt(with_third, below * 90_000) + (nats + 29_999) / 30_000)
}

/// f of section 03: more where labels are charged, as wraps cost privacy then.
fn failure_bits(parameters: &Json) -> Outcome<i128> {
    if parameters.get("argmax_cost").is_none() && parameters.get("argmax_queries").is_none() {
        return Ok(40);
    }
    let needed = |name: &str| Rational::of(parameters, name)?.ok_or(PARAMETER_ERROR);
    let (epsilon, delta) = (needed("epsilon")?, needed("delta")?);
    let unit = epsilon.1.checked_mul(10_000).ok_or(PARAMETER_ERROR)?;
    let of_epsilon = (epsilon.0.checked_mul(14_427).ok_or(PARAMETER_ERROR)? + unit - 1) / unit;
    Ok((53 + of_epsilon + bit_length((delta.1 + delta.0 - 1) / delta.0)).max(40))
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
