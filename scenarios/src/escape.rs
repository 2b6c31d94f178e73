//! External text, made safe to show. Titles, values, paths, journals and traces come from files and
//! from artefacts of CI; sequences in them that a terminal, a log, a page of Markdown or GitHub's
//! runner would obey are shown instead.
//!
//! Control characters, marks that change the direction of text, and some characters without width
//! are written as an escape such as `\u{1b}`. GitHub's runner obeys lines that begin with `::`,
//! with or without leading white space, and lines that contain `##[` (github.com/actions/runner,
//! `src/Runner.Common/ActionCommand.cs`): the first character of these marks is escaped too.

use std::borrow::Cow;
use std::fmt::Write;

/// Whether a character controls how text is displayed.
fn controls_display(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            // Arabic letter mark, left-to-right and right-to-left marks, embeddings, isolates.
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
            // Line and paragraph separators.
            | '\u{2028}' | '\u{2029}'
            // Some characters without width, and tags.
            | '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
        )
}

fn code(out: &mut String, c: char) {
    // Writing into a string cannot fail.
    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
}

/// Text of several lines, for a terminal, a log or a file that people read. Line breaks and tabs
/// stay; a line break is `
/// ` only.
pub fn lines(text: &str) -> Cow<'_, str> {
    shown(text, |_| None)
}

/// [`lines`] for text that may contain Faultline's own colours: if `colours`, the sequences that
/// switch colours (`ESC [`, digits and `;`, then `m`) stay.
pub fn coloured(text: &str, colours: bool) -> Cow<'_, str> {
    let sequence = |rest: &str| {
        let inner = rest.strip_prefix("\u{1b}[")?;
        let end = inner.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        inner[end..].starts_with('m').then_some(2 + end + 1)
    };
    shown(text, |rest| sequence(rest).filter(|_| colours))
}

/// Text in one line: a line break is written as `\u{a}`.
pub fn line(text: &str) -> Cow<'_, str> {
    match lines(text) {
        text if text.contains('\n') => Cow::Owned(text.replace('\n', "\\u{a}")),
        text => text,
    }
}

/// Escapes a text; `keep` returns the number of bytes at the beginning of the rest that stay
/// unchanged.
fn shown(text: &str, keep: impl Fn(&str) -> Option<usize>) -> Cow<'_, str> {
    if !text.chars().any(|c| controls_display(c) && c != '\n' && c != '\t')
        && !text.contains("::")
        && !text.contains("##[")
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(length) = keep(rest) {
            out.push_str(&rest[..length]);
            rest = &rest[length..];
            continue;
        }
        let commands = (at_start && rest.starts_with("::")) || rest.starts_with("##[");
        match c {
            '\n' | '\t' => out.push(c),
            c if commands || controls_display(c) => code(&mut out, c),
            c => out.push(c),
        }
        at_start = c == '\n' || (at_start && c.is_whitespace());
        rest = &rest[c.len_utf8()..];
    }
    Cow::Owned(out)
}

/// A JSON document. Its strings keep their value, since JSON can write any character as an escape
/// such as `\u001b`.
pub fn json(document: &str) -> String {
    let mut out = String::with_capacity(document.len());
    let mut rest = document;
    while let Some(c) = rest.chars().next() {
        // Outside of strings the only such characters are line breaks.
        if (controls_display(c) && c != '\n') || rest.starts_with("##[") {
            for unit in c.encode_utf16(&mut [0; 2]) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Text within a paragraph or a table cell of GitHub's Markdown, in one line.
pub fn markdown(text: &str) -> String {
    let text = line(text);
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let in_a_word =
            before.is_alphanumeric() && rest.peek().is_some_and(|c| c.is_alphanumeric());
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' => out.extend(['\\', c]),
            '_' if !in_a_word => out.extend(['\\', c]),
            c => out.push(c),
        }
        before = c;
    }
    out
}

/// Text as code within a table cell of GitHub's Markdown, in one line. Only `|` has a meaning
/// inside, since it ends the cell (github.github.com/gfm, 4.10), so it is escaped. The fence is one
/// backtick longer than the longest run in the text (6.3).
pub fn markdown_code(text: &str) -> String {
    let text = line(text).replace('|', "\\|");
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or_default();
    let ticks = "`".repeat(longest + 1);
    // Markdown strips one space on each side.
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{ticks}{space}{text}{space}{ticks}")
}

/// Quoted as one shell word: plain if possible, otherwise in single quotes, and in bash's `$'…'` if
/// a character has to be escaped.
pub fn shell(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    if !word.contains(controls_display) && !word.contains("##[") {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut out = String::from("$'");
    for c in word.chars() {
        let _ = match c {
            '\'' | '\\' => write!(out, "\\{c}"),
            '#' => write!(out, "\\x23"),
            c if controls_display(c) && c.is_ascii() => write!(out, "\\x{:02x}", u32::from(c)),
            c if controls_display(c) => write!(out, "\\U{:08x}", u32::from(c)),
            c => write!(out, "{c}"),
        };
    }
    out.push('\'');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sequences that a terminal or GitHub's runner would obey are escaped.
    #[test]
    fn sequences_that_a_terminal_or_runner_obeys_are_escaped() {
        for (text, expected) in [
            ("as it is, ü and ⟶\n\ttoo", "as it is, ü and ⟶\n\ttoo"),
            ("a\u{1b}[31mb\r\u{7f}\u{9b}", "a\\u{1b}[31mb\\u{d}\\u{7f}\\u{9b}"),
            ("\u{202e}abc\u{2066}\u{200f}", "\\u{202e}abc\\u{2066}\\u{200f}"),
            ("::error title=x::y", "\\u{3a}:error title=x::y"),
            ("x\n \t ::stop", "x\n \t \\u{3a}:stop"),
            ("std::fs, a ::b", "std::fs, a ::b"),
            ("a ##[group]b", "a \\u{23}#[group]b"),
            ("###[error]", "#\\u{23}#[error]"),
        ] {
            assert_eq!(lines(text), expected);
            assert_eq!(coloured(text, false), expected);
        }
        assert_eq!(line("a\n::b"), "a\\u{a}\\u{3a}:b");
        let painted = "\u{1b}[1;32mPASS\u{1b}[0m \u{1b}[2J";
        assert_eq!(coloured(painted, true), "\u{1b}[1;32mPASS\u{1b}[0m \\u{1b}[2J");
    }

    #[test]
    fn json_keeps_its_values() {
        let value = "\u{1b} \u{9b} \u{202e} ##[x] \u{e0041} ::a\n";
        let document = serde_json::to_string_pretty(&[value]).expect("plain data");
        let shown = json(&document);
        assert!(
            !shown.contains(|c| controls_display(c) && c != '\n') && !shown.contains("##["),
            "{shown}"
        );
        let read: [String; 1] = serde_json::from_str(&shown).expect("the document is still JSON");
        assert_eq!(read[0], value);
    }

    #[test]
    fn markdown_is_escaped() {
        assert_eq!(
            markdown("a|b\n<c> &amp; *d* [e](f)"),
            "a\\|b\\\\u{a}&lt;c&gt; &amp;amp; \\*d\\* \\[e\\](f)"
        );
        assert_eq!(markdown("min_isr and _this_"), "min_isr and \\_this\\_");
        assert_eq!(markdown_code("a <b|c>\nd"), "`a <b\\|c>\\u{a}d`");
        assert_eq!(markdown_code("a `b``c` d"), "```a `b``c` d```");
        assert_eq!(markdown_code("'`a'`"), "`` '`a'` ``");
    }

    #[test]
    fn a_quoted_word_is_one_shell_word() {
        assert_eq!(shell("acks=1"), "acks=1");
        assert_eq!(shell("it's"), r"'it'\''s'");
        assert_eq!(shell("a\u{1b}\n'##[b\u{202e}"), r"$'a\x1b\x0a\'\x23\x23[b\U0000202e'");
    }
}
