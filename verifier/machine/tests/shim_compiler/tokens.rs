//! From text to tokens.

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Token {
    Name(String),
    Int(i64),
    Long(i64),
    Text(Vec<u8>),
    Sign(&'static str),
}

/// Longest first, so that `<=` is not read as `<` and `=`.
const SIGNS: [&str; 33] = [
    "->", "==", "!=", "<=", ">=", "<<", ">>", "&&", "||", "(", ")", "{", "}", "[", "]", ",", ";",
    ":", "=", "<", ">", "+", "-", "*", "/", "%", "&", "|", "^", "!", "~", ".", "@",
];

pub(crate) fn tokens(source: &str) -> Vec<Token> {
    let mut found = Vec::new();
    for line in source.lines() {
        let mut rest = line.split("//").next().unwrap().trim_start();
        while !rest.is_empty() {
            let (token, length) = next(rest);
            found.push(token);
            rest = rest[length..].trim_start();
        }
    }
    found
}

fn next(rest: &str) -> (Token, usize) {
    let first = rest.chars().next().unwrap();
    let while_ = |accept: fn(char) -> bool| rest.find(|c| !accept(c)).unwrap_or(rest.len());
    if first == '"' {
        let end = 1 + rest[1..].find('"').unwrap();
        return (Token::Text(rest.as_bytes()[1..end].to_vec()), end + 1);
    }
    if first == '\'' {
        return (Token::Int(i64::from(rest.as_bytes()[1])), 3);
    }
    if first.is_ascii_digit() {
        let length = while_(|c| c.is_ascii_alphanumeric());
        let (digits, long) = match rest[..length].strip_suffix('L') {
            Some(digits) => (digits, true),
            None => (&rest[..length], false),
        };
        let value = match digits.strip_prefix("0x") {
            Some(hex) => u64::from_str_radix(hex, 16).unwrap().cast_signed(),
            None => digits.parse().unwrap(),
        };
        let token = if long {
            Token::Long(value)
        } else {
            Token::Int(value)
        };
        return (token, length);
    }
    if first.is_ascii_alphabetic() || first == '_' {
        let length = while_(|c| c.is_ascii_alphanumeric() || c == '_');
        return (Token::Name(rest[..length].to_owned()), length);
    }
    let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
    let sign = sign.unwrap_or_else(|| panic!("no token begins `{rest}`"));
    (Token::Sign(sign), sign.len())
}
