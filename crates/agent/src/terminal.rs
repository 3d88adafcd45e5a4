//! Text of others on a terminal: without what moves the cursor, changes colours or turns the order of letters around, and
//! where it is one field of a line of ours, without line ends, so that it cannot begin a line that looks like ours.

/// Stands where a character was taken out.
const TAKEN_OUT: char = '\u{fffd}';

/// Lines of ours, whatever of others is in them.
#[must_use]
pub fn printable_lines(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c,
        c if draws(c) => TAKEN_OUT,
        c => c,
    };
    text.chars().map(shown).collect()
}

/// What others say, as a part of one line.
#[must_use]
pub fn printable(text: &str) -> String {
    let shown = |c: char| if draws(c) { TAKEN_OUT } else { c };
    text.chars().map(shown).collect()
}

/// Whether a terminal does something else with a character than to show it in its place.
fn draws(c: char) -> bool {
    let is_separator = matches!(c, '\u{2028}' | '\u{2029}');
    c.is_control() || is_separator || turns_around(c)
}

/// The marks, embeddings, overrides and isolates of Unicode's bidirectional algorithm.
fn turns_around(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_draws_on_the_terminal() {
        assert_eq!(
            printable_lines("a\u{1b}[2J\r\nb"),
            "a\u{fffd}[2J\u{fffd}\nb"
        );
        assert_eq!(
            printable("a\u{1b}]0;x\u{7}\nb\u{9b}"),
            "a\u{fffd}]0;x\u{fffd}\u{fffd}b\u{fffd}"
        );
        assert_eq!(
            printable("\u{202e}1 OIG\u{2069}\u{2028}"),
            "\u{fffd}1 OIG\u{fffd}\u{fffd}"
        );
        assert_eq!(printable("grüß dich, 中文, שלום"), "grüß dich, 中文, שלום");
    }
}
