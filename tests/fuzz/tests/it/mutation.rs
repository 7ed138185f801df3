//! Makes inputs out of inputs: bytes, pieces, hostile words, and, where an input is JSON, its values.

use serde_json::Value;

/// What is put in where something else stood.
const HOSTILE: &[&str] = &[
    "",
    "\0",
    "\n",
    "\r\n",
    "\"",
    "'",
    "\\",
    "/",
    "../",
    ",",
    ";",
    "--",
    "=",
    "@",
    "%",
    "*",
    "$$",
    " ",
    "\t",
    "null",
    "true",
    "-1",
    "0",
    "1e999",
    "18446744073709551616",
    "-9223372036854775808",
    "9223372036854775807",
    "\u{202e}",
    "\u{200b}",
    "\u{feff}",
    "\u{1b}[2J",
    "é",
    "А",
    "🙂",
    "[[[[[[[[[[[[[[[[",
    "((((((((((((((((",
    "{\"a\":",
    "__entity",
    "2h",
    "P9999Y",
    "99999999999999h",
    "2026-11-21T09:00:00Z",
    "admins",
    "ada",
    "x\u{301}",
    "\u{fffd}",
    "NaN",
    "permit(principal,action,resource);",
    "E'",
    "U&\"",
    "::",
    "0.0.0.0/0",
    "-oProxyCommand=x",
];

/// SplitMix64 (Steele, Lea, Flood 2014), begun from a target's name.
pub(crate) struct Mutation(u64);

impl Mutation {
    pub(crate) fn new(name: &str) -> Self {
        Self(name.bytes().fold(0xcbf2_9ce4_8422_2325, |all, b| (all ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`; zero below zero.
    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// One input changed in one to four places.
    pub(crate) fn of(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let at = self.below(inputs.len());
        let mut input = inputs[at].clone();
        let skip = input.iter().position(|b| *b == b'{').filter(|at| *at <= 1);
        if let (Some(skip), true) = (skip, self.below(2) == 0)
            && let Ok(mut value) = serde_json::from_slice(&input[skip..])
        {
            for _ in 0..=self.below(3) {
                self.value(&mut value);
            }
            input.truncate(skip);
            input.extend(value.to_string().into_bytes());
            return input;
        }
        for _ in 0..=self.below(4) {
            self.bytes(&mut input, inputs);
        }
        input
    }

    fn bytes(&mut self, input: &mut Vec<u8>, inputs: &[Vec<u8>]) {
        let at = self.below(input.len() + 1);
        let end = at + self.below((input.len() - at).min(32) + 1);
        match self.below(8) {
            0 if at < input.len() => input[at] ^= 1 << self.below(8),
            1 if at < input.len() => input[at] = u8::try_from(self.below(256)).unwrap(),
            2 => drop(input.drain(at..end)),
            3 => {
                let piece = input[at..end].to_vec();
                let times = self.below(20);
                input.splice(at..at, piece.repeat(times));
            }
            4 => input.truncate(at),
            5 => {
                let from = self.below(inputs.len());
                let other = &inputs[from];
                let cut = self.below(other.len() + 1);
                input.splice(at..end, other[cut..].iter().copied());
            }
            6 => {
                let word = HOSTILE[self.below(HOSTILE.len())];
                let times = if self.below(20) == 0 { 300 } else { 1 };
                input.splice(at..end, word.repeat(times).into_bytes());
            }
            _ => {
                let word = HOSTILE[self.below(HOSTILE.len())];
                input.splice(at..at, word.bytes());
            }
        }
    }

    /// One place in a value becomes something else, is left out, or gets a neighbour.
    fn value(&mut self, value: &mut Value) {
        match value {
            Value::Object(map) if !map.is_empty() && self.below(6) > 0 => {
                let keys: Vec<String> = map.keys().cloned().collect();
                let key = &keys[self.below(keys.len())];
                match self.below(8) {
                    0 => drop(map.remove(key)),
                    1 => drop(map.insert(HOSTILE[self.below(HOSTILE.len())].to_owned(), Value::from(1))),
                    _ => self.value(&mut map[key]),
                }
            }
            Value::Array(items) if !items.is_empty() && self.below(6) > 0 => {
                let at = self.below(items.len());
                match self.below(6) {
                    0 => drop(items.remove(at)),
                    1 => items.push(items[at].clone()),
                    _ => self.value(&mut items[at]),
                }
            }
            Value::String(text) if self.below(2) == 0 => {
                let mut bytes = std::mem::take(text).into_bytes();
                let own = [bytes.clone()];
                self.bytes(&mut bytes, &own);
                *text = String::from_utf8_lossy(&bytes).into_owned();
            }
            other => {
                *other = match self.below(9) {
                    0 => Value::Null,
                    1 => Value::from(self.next()),
                    2 => Value::from(-1),
                    3 => Value::from(1.5),
                    4 => Value::from(self.below(2) == 0),
                    5 => Value::Array(vec![other.clone()]),
                    6 => serde_json::json!({ "a": other.clone() }),
                    _ => Value::from(HOSTILE[self.below(HOSTILE.len())]),
                }
            }
        }
    }
}
