//! Patterns of subscriptions (`KafkaConsumer.subscribe(Pattern)`), which the client matches against the
//! names of all topics.
//!
//! A part of Java's regular expressions, by backtracking: characters, `.`, classes such as `[a-z_]` and
//! `[^0-9]`, `\d`, `\w` and their complements, `\` before any other sign, groups, `|`, and the greedy
//! quantifiers `*`, `+`, `?` and `{2,5}`. Names are short, and a match is a whole name
//! (`Matcher.matches`).

use std::sync::Arc;

/// Steps after which a match is given up, so that no pattern takes long. Kafka has no such limit.
const STEPS: u32 = 100_000;
/// The longest repetition of `{2,5}`.
const MOST: u32 = 249;

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Arc<str>,
    root: Arc<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    /// One of these, in order.
    Either(Vec<Vec<Node>>),
    /// A character of these ranges, or of none of them.
    Class(Vec<(char, char)>, bool),
    /// A node, so many times at least and at most.
    Repeat(Box<Node>, u32, u32),
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, or not modelled.
    pub fn new(text: &str) -> Result<Self, String> {
        let signs: Vec<char> = text.chars().collect();
        let mut parser = Parser { signs: &signs, at: 0 };
        let root = parser.either()?;
        if parser.at < signs.len() {
            return Err(format!("`{}` at place {} opens nothing", signs[parser.at], parser.at + 1));
        }
        Ok(Self { text: text.into(), root: Arc::new(root) })
    }

    /// The pattern as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it matches a whole name.
    pub fn matches(&self, name: &str) -> bool {
        let signs: Vec<char> = name.chars().collect();
        let mut steps = 0;
        let end = |at: usize, _: &mut u32| at == signs.len();
        node(&self.root, &signs, 0, &mut steps, &end)
    }

    /// Whether a member that subscribes by it reads a topic: internal topics are excluded
    /// (`exclude.internal.topics`).
    pub fn subscribes(&self, topic: &str) -> bool {
        let is_internal = matches!(topic, "__consumer_offsets" | "__transaction_state");
        !is_internal && self.matches(topic)
    }
}

/// What has to match after a node.
type Then<'a> = &'a dyn Fn(usize, &mut u32) -> bool;

fn node(of: &Node, signs: &[char], at: usize, steps: &mut u32, then: Then<'_>) -> bool {
    *steps += 1;
    if *steps > STEPS {
        return false;
    }
    match of {
        Node::Class(ranges, negated) => signs.get(at).is_some_and(|sign| {
            let has = ranges.iter().any(|(from, to)| (*from..=*to).contains(sign));
            has != *negated && then(at + 1, steps)
        }),
        Node::Either(ways) => ways.iter().any(|way| sequence(way, signs, at, steps, then)),
        Node::Repeat(inner, least, most) => {
            let once_more = |next: usize, steps: &mut u32| {
                // A repetition of nothing would go on for ever.
                let rest =
                    Node::Repeat(inner.clone(), least.saturating_sub(1), most.saturating_sub(1));
                (next > at || *least > 0) && node(&rest, signs, next, steps, then)
            };
            (*most > 0 && node(inner, signs, at, steps, &once_more))
                || (*least == 0 && then(at, steps))
        }
    }
}

fn sequence(of: &[Node], signs: &[char], at: usize, steps: &mut u32, then: Then<'_>) -> bool {
    match of.split_first() {
        None => then(at, steps),
        Some((first, rest)) => {
            let go_on = |next: usize, steps: &mut u32| sequence(rest, signs, next, steps, then);
            node(first, signs, at, steps, &go_on)
        }
    }
}

struct Parser<'a> {
    signs: &'a [char],
    at: usize,
}

const DIGITS: &[(char, char)] = &[('0', '9')];
const WORD: &[(char, char)] = &[('a', 'z'), ('A', 'Z'), ('_', '_'), ('0', '9')];

impl Parser<'_> {
    fn peek(&self) -> Option<char> {
        self.signs.get(self.at).copied()
    }

    fn takes(&mut self, sign: char) -> bool {
        let is_next = self.peek() == Some(sign);
        self.at += usize::from(is_next);
        is_next
    }

    fn either(&mut self) -> Result<Node, String> {
        let mut ways = vec![self.sequence()?];
        while self.takes('|') {
            ways.push(self.sequence()?);
        }
        Ok(Node::Either(ways))
    }

    fn sequence(&mut self) -> Result<Vec<Node>, String> {
        let mut all = Vec::new();
        while let Some(sign) = self.peek().filter(|sign| !matches!(sign, '|' | ')')) {
            self.at += 1;
            let one = match sign {
                '.' => Node::Class(Vec::new(), true),
                '(' => self.group()?,
                '[' => self.class()?,
                '\\' => self.escaped()?,
                '*' | '+' | '?' | '{' => return Err(format!("`{sign}` repeats nothing")),
                '^' | '$' => {
                    return Err(format!("`{sign}` is not modelled: a pattern matches whole names"));
                }
                sign => Node::Class(vec![(sign, sign)], false),
            };
            all.push(self.repeated(one)?);
        }
        Ok(all)
    }

    fn group(&mut self) -> Result<Node, String> {
        if self.takes('?') && !self.takes(':') {
            return Err("groups that begin with `(?` are not modelled, except `(?:`".to_owned());
        }
        let inner = self.either()?;
        if self.takes(')') { Ok(inner) } else { Err("a `(` is not closed".to_owned()) }
    }

    fn repeated(&mut self, one: Node) -> Result<Node, String> {
        let (least, most) = match self.peek() {
            Some('*') => (0, u32::MAX),
            Some('+') => (1, u32::MAX),
            Some('?') => (0, 1),
            Some('{') => return self.counted(one),
            _ => return Ok(one),
        };
        self.at += 1;
        self.greedy(Node::Repeat(Box::new(one), least, most))
    }

    fn greedy(&self, node: Node) -> Result<Node, String> {
        match self.peek() {
            Some('*' | '+' | '?' | '{') => {
                Err("a quantifier after a quantifier is not modelled".to_owned())
            }
            _ => Ok(node),
        }
    }

    /// `{2}`, `{2,}` or `{2,5}`.
    fn counted(&mut self, one: Node) -> Result<Node, String> {
        let wrong = || format!("a repetition is written as {{2}}, {{2,}} or {{2,{MOST}}}");
        let inside: String =
            self.signs[self.at + 1..].iter().take_while(|it| **it != '}').collect();
        let number = |text: &str| text.parse::<u32>().ok().filter(|number| *number <= MOST);
        let (least, most) = match inside.split_once(',') {
            None => (number(&inside), number(&inside)),
            Some((least, "")) => (number(least), Some(u32::MAX)),
            Some((least, most)) => (number(least), number(most)),
        };
        self.at += inside.chars().count() + 1;
        let bounds = least.zip(most).filter(|(least, most)| least <= most && self.takes('}'));
        let (least, most) = bounds.ok_or_else(wrong)?;
        self.greedy(Node::Repeat(Box::new(one), least, most))
    }

    fn escaped(&mut self) -> Result<Node, String> {
        let sign = self.peek().ok_or("a `\\` ends the pattern")?;
        self.at += 1;
        Ok(match sign {
            'd' | 'D' => Node::Class(DIGITS.to_vec(), sign == 'D'),
            'w' | 'W' => Node::Class(WORD.to_vec(), sign == 'W'),
            sign if sign.is_alphanumeric() => return Err(format!("`\\{sign}` is not modelled")),
            sign => Node::Class(vec![(sign, sign)], false),
        })
    }

    /// A class, after its `[`.
    fn class(&mut self) -> Result<Node, String> {
        let open = || "a `[` is not closed".to_owned();
        let negated = self.takes('^');
        let mut ranges = Vec::new();
        loop {
            let mut sign = self.peek().ok_or_else(open)?;
            self.at += 1;
            match sign {
                ']' if !ranges.is_empty() => return Ok(Node::Class(ranges, negated)),
                '[' | ']' | '&' => return Err(format!("`{sign}` in a class is not modelled")),
                '\\' => match self.escaped()? {
                    Node::Class(mut more, false) if more.len() == 1 && more[0].0 == more[0].1 => {
                        sign = more.remove(0).0;
                    }
                    Node::Class(more, false) => {
                        ranges.extend(more);
                        continue;
                    }
                    _ => return Err("a complement in a class is not modelled".to_owned()),
                },
                _ => {}
            }
            let is_range = self.peek() == Some('-')
                && self.signs.get(self.at + 1).is_some_and(|next| *next != ']');
            if !is_range {
                ranges.push((sign, sign));
                continue;
            }
            let to = self.signs[self.at + 1];
            self.at += 2;
            if to < sign {
                return Err(format!("`{sign}-{to}` is not a range"));
            }
            ranges.push((sign, to));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As `java.util.regex.Pattern` matches these.
    #[test]
    fn a_pattern_matches_whole_names() {
        for (pattern, yes, no) in [
            ("orders", &["orders"][..], &["orders2", "xorders", "order"][..]),
            ("orders-.*", &["orders-", "orders-eu"], &["orders", "my-orders-eu"]),
            (
                "(eu|us)\\.(orders|returns)",
                &["eu.orders", "us.returns"],
                &["euxorders", "eu.", "as.orders"],
            ),
            ("[a-c_]+[^0-9]?", &["abc", "a_b-"], &["a0", "", "d"]),
            ("t\\d{2,3}", &["t01", "t999"], &["t1", "t0001", "tab"]),
            ("(a|ab)(c|bcd)", &["abcd", "ac", "abc"], &["abd"]),
            ("(?:x*)*y", &["y", "xxxy"], &["xx"]),
            ("a{2}b{1,}", &["aab", "aabbb"], &["ab", "aa"]),
            ("[\\w.-]+", &["a.b-c_9"], &["a b"]),
            ("", &[""], &["a"]),
        ] {
            let of = Pattern::new(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert!(yes.iter().all(|name| of.matches(name)), "{pattern}: {yes:?}");
            assert!(!no.iter().any(|name| of.matches(name)), "{pattern}: {no:?}");
        }
        let all = Pattern::new(".*").expect("it is a pattern");
        assert!(all.matches("__consumer_offsets") && !all.subscribes("__consumer_offsets"));
    }

    #[test]
    fn what_is_wrong_or_not_modelled_is_refused() {
        for (pattern, wrong) in [
            ("(a", "not closed"),
            ("a)", "opens nothing"),
            ("*a", "repeats nothing"),
            ("[a", "not closed"),
            ("a**", "quantifier"),
            ("a{3,2}", "repetition"),
            ("(?=a)", "not modelled"),
            ("^a$", "whole names"),
            ("\\bx", "not modelled"),
            ("[z-a]", "not a range"),
            ("a\\", "ends the pattern"),
        ] {
            let error = Pattern::new(pattern).expect_err(pattern);
            assert!(error.contains(wrong), "{pattern}: {error}");
        }
    }

    #[test]
    fn no_pattern_takes_long() {
        let slow = Pattern::new("(a*)*(a*)*(a*)*b").expect("it is a pattern");
        assert!(!slow.matches(&"a".repeat(40)));
    }
}
