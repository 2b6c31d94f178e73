//! How times, nodes and connections are written in files: `1500ms`, `3`, `1/3`.
//!
//! The modules are for `#[serde(with = "…")]`. What is written reads back exactly.

use crate::SimTime;
use machine::{ClusterId, ConnId, NodeId, Span};
use serde::{Deserialize, Deserializer, Serializer, de::Error};

const UNITS: [(&str, u64); 6] = [
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// A span in the largest unit from seconds down that divides it: `1500ms`.
pub fn span_to_text(span: Span) -> String {
    let (name, unit) = UNITS[2..]
        .iter()
        .find(|(_, unit)| span.0.is_multiple_of(*unit) && span.0 != 0)
        .unwrap_or(&("s", 1_000_000_000));
    format!("{}{name}", span.0 / unit)
}

/// Reads a span such as `1500ms`, `1.5s` or `2m`; `None` if it is none.
pub fn span_from_text(text: &str) -> Option<Span> {
    let digits = text.find(|c: char| c.is_ascii_alphabetic())?;
    let (number, name) = text.split_at(digits);
    let unit = UNITS.iter().find(|(n, _)| *n == name)?.1;
    let (whole, fraction) = number.trim_end().split_once('.').unwrap_or((number.trim_end(), ""));
    let mut nanos = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let mut place = unit;
    for digit in fraction.bytes() {
        let digit = u64::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        if place % 10 != 0 && digit != 0 {
            return None;
        }
        place /= 10;
        nanos = nanos.checked_add(digit * place)?;
    }
    Some(Span(nanos))
}

/// Reads a node as it is printed: `3`, or `1/3` for a node of another cluster than the first.
pub fn node_from_text(text: &str) -> Option<NodeId> {
    let (cluster, node) = text.split_once('/').unwrap_or(("0", text));
    Some(NodeId { cluster: ClusterId(cluster.parse().ok()?), node: node.parse().ok()? })
}

/// A [`Span`] as text.
pub mod span {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(span: &Span, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&span_to_text(*span))
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Span, D::Error> {
        let text = String::deserialize(from)?;
        span_from_text(&text)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is no time: write 500ms or 1.5s")))
    }
}

/// A [`Span`] as text, or nothing.
pub mod optional_span {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(span: &Option<Span>, to: S) -> Result<S::Ok, S::Error> {
        match span {
            Some(span) => super::span::serialize(span, to),
            None => to.serialize_none(),
        }
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Span>, D::Error> {
        #[derive(Deserialize)]
        struct Text(#[serde(with = "super::span")] Span);
        Ok(Option::<Text>::deserialize(from)?.map(|text| text.0))
    }
}

/// A [`SimTime`] as the time since the beginning of the world.
pub mod sim_time {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(at: &SimTime, to: S) -> Result<S::Ok, S::Error> {
        super::span::serialize(&Span(at.0), to)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<SimTime, D::Error> {
        super::span::deserialize(from).map(|span| SimTime(span.0))
    }
}

/// A [`NodeId`] as text.
pub mod node {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(node: &NodeId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(node)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<NodeId, D::Error> {
        let text = String::deserialize(from)?;
        node_from_text(&text)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is no node: write 3 or 1/3")))
    }
}

/// A list of [`NodeId`]s as text.
pub mod nodes {
    use super::*;

    #[derive(Deserialize, serde::Serialize)]
    pub(super) struct Text(#[serde(with = "super::node")] pub(super) NodeId);

    /// Writes them.
    pub fn serialize<S: Serializer>(nodes: &[NodeId], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(nodes.iter().map(|node| Text(*node)))
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<NodeId>, D::Error> {
        Ok(Vec::<Text>::deserialize(from)?.into_iter().map(|text| text.0).collect())
    }
}

/// Groups of [`NodeId`]s as text.
pub mod node_groups {
    use super::*;

    /// Writes them.
    pub fn serialize<S: Serializer>(groups: &[Vec<NodeId>], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(
            groups.iter().map(|group| group.iter().map(|n| nodes::Text(*n)).collect::<Vec<_>>()),
        )
    }

    /// Reads them.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Vec<NodeId>>, D::Error> {
        let groups = Vec::<Vec<nodes::Text>>::deserialize(from)?;
        Ok(groups.into_iter().map(|g| g.into_iter().map(|text| text.0).collect()).collect())
    }
}

/// A connection as it is written in a trace: sixteen hexadecimal digits.
pub fn conn_to_text(conn: ConnId) -> String {
    format!("{:016x}", conn.0)
}

/// A [`ConnId`] as [`conn_to_text`] has it.
pub mod conn {
    use super::*;

    /// Writes it.
    pub fn serialize<S: Serializer>(conn: &ConnId, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:016x}", conn.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_back_exactly() {
        for nanos in [0, 1, 999, 1_000, 1_500_000_000, 3_600_000_000_000, 1_234_567_891, u64::MAX] {
            let text = span_to_text(Span(nanos));
            assert_eq!(span_from_text(&text), Some(Span(nanos)), "{text}");
        }
        assert_eq!(span_to_text(Span::millis(1_500)), "1500ms");
        assert_eq!(span_from_text("1.5s"), Some(Span::millis(1_500)));
        assert_eq!(span_from_text("2 m"), Some(Span::secs(120)));
        for wrong in ["", "5", "s", "1.x", "1.5ns", "-1s", "5 weeks", "99999999999h"] {
            assert_eq!(span_from_text(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn nodes_read_back() {
        for node in [NodeId::new(0, 3), NodeId::new(2, 4_000)] {
            assert_eq!(node_from_text(&node.to_string()), Some(node));
        }
        assert_eq!(node_from_text("x"), None);
        assert_eq!(node_from_text("1/"), None);
    }
}
