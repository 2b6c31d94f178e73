//! The values of properties about groups.

use super::property::{Property, choice_property};
use std::sync::Arc;

choice_property! {
    /// Which groups with members may go from one protocol to the other (KIP-848).
    MigrationPolicy "disabled, upgrade, downgrade or bidirectional" {
        /// None.
        Disabled = "disabled" | "DISABLED",
        /// From the classic to the consumer protocol.
        Upgrade = "upgrade" | "UPGRADE",
        /// From the consumer to the classic protocol.
        Downgrade = "downgrade" | "DOWNGRADE",
        /// Both.
        Bidirectional = "bidirectional" | "BIDIRECTIONAL",
    }
}

choice_property! {
    /// An assignor of group coordinators.
    ServerAssignor "uniform or range" {
        /// As even as possible, and close to what members have.
        Uniform = "uniform",
        /// Consecutive partitions of each topic.
        Range = "range",
    }
}

/// `group.protocol`: how a consumer is a member of its group. Upper and lower case count the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupProtocol {
    /// Members join together, and one of them assigns.
    Classic,
    /// The coordinator assigns, and each member follows in steps of its own (KIP-848).
    Consumer,
}

impl Property for GroupProtocol {
    const EXPECTED: &'static str = "classic or consumer";

    fn parse(text: &str) -> Option<Self> {
        let of = [("classic", Self::Classic), ("consumer", Self::Consumer)];
        let named = of.into_iter().find(|(name, _)| text.trim().eq_ignore_ascii_case(name));
        named.map(|(_, protocol)| protocol)
    }

    fn render(&self) -> String {
        match self {
            Self::Classic => "classic".to_owned(),
            Self::Consumer => "consumer".to_owned(),
        }
    }
}

/// `group.remote.assignor`: the name of an assignor of coordinators, or none. A coordinator refuses a
/// member that names one which it does not have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RemoteAssignor(pub Option<Arc<str>>);

impl Property for RemoteAssignor {
    const EXPECTED: &'static str = "the name of an assignor";

    fn parse(text: &str) -> Option<Self> {
        match text.trim() {
            "" => None,
            "null" => Some(Self(None)),
            name => Some(Self(Some(name.into()))),
        }
    }

    fn render(&self) -> String {
        self.0.as_deref().unwrap_or("null").to_owned()
    }
}

/// The assignors that members may name, the default first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerAssignors(Vec<ServerAssignor>);

impl MigrationPolicy {
    /// Whether groups may go to the consumer protocol.
    pub const fn allows_upgrade(self) -> bool {
        matches!(self, Self::Upgrade | Self::Bidirectional)
    }

    /// Whether groups may go to the classic protocol.
    pub const fn allows_downgrade(self) -> bool {
        matches!(self, Self::Downgrade | Self::Bidirectional)
    }

    /// Whether a group may have members of both protocols.
    pub const fn allows_any(self) -> bool {
        !matches!(self, Self::Disabled)
    }
}

impl ServerAssignors {
    /// The name of the default.
    pub fn first(&self) -> &'static str {
        self.0.first().map_or("uniform", |first| first.name())
    }

    /// Whether there is an assignor of this name.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|it| it.name() == name)
    }
}

impl ServerAssignor {
    const fn name(self) -> &'static str {
        match self {
            Self::Uniform => "uniform",
            Self::Range => "range",
        }
    }
}

impl Default for ServerAssignors {
    fn default() -> Self {
        Self(vec![ServerAssignor::Uniform, ServerAssignor::Range])
    }
}

impl Property for ServerAssignors {
    const EXPECTED: &'static str = "uniform, range or both, separated by commas";

    fn parse(text: &str) -> Option<Self> {
        let mut all = Vec::new();
        for name in text.split(',') {
            let assignor = ServerAssignor::parse(name)?;
            if all.contains(&assignor) {
                return None;
            }
            all.push(assignor);
        }
        Some(Self(all))
    }

    fn render(&self) -> String {
        self.0.iter().map(|it| it.name()).collect::<Vec<_>>().join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_is_named_in_any_case() {
        assert_eq!(GroupProtocol::parse("CONSUMER"), Some(GroupProtocol::Consumer));
        assert_eq!(GroupProtocol::parse("Classic"), Some(GroupProtocol::Classic));
        assert_eq!(GroupProtocol::parse("streams"), None);
        assert_eq!(RemoteAssignor::parse(""), None);
    }

    #[test]
    fn assignors_are_a_list_without_repetition() {
        let range = ServerAssignors::parse("range").expect("a list");
        assert_eq!((range.first(), range.has("uniform")), ("range", false));
        assert_eq!(ServerAssignors::parse("uniform, range"), Some(ServerAssignors::default()));
        assert_eq!(ServerAssignors::default().render(), "uniform,range");
        for wrong in ["", "sticky", "range,range"] {
            assert_eq!(ServerAssignors::parse(wrong), None, "{wrong}");
        }
    }
}
