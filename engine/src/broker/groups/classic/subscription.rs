//! The topics of a consumer's subscription (`ConsumerProtocolSubscription.json`). All versions begin as
//! version 0 does, and nothing else in it matters to a coordinator.

use crate::broker::fields::{Malformed, take_i16, take_i32, take_string};
use std::sync::Arc;

/// The topics of a subscription; `None` if the bytes are no subscription.
pub(super) fn topics(mut subscription: &[u8]) -> Option<Vec<Arc<str>>> {
    read(&mut subscription).ok()
}

fn read(from: &mut &[u8]) -> Result<Vec<Arc<str>>, Malformed> {
    if take_i16(from)? < 0 {
        return Err(Malformed("a subscription of a negative version"));
    }
    let mut topics = Vec::new();
    for _ in 0..take_i32(from)? {
        topics.push(take_string(from)?);
    }
    Ok(topics)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_has_topics_and_other_bytes_have_none() {
        let subscription = b"\0\x03\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff\0\0\0\0";
        assert_eq!(topics(subscription).unwrap(), ["a".into(), Arc::from("bc")]);
        assert_eq!(topics(b""), None);
        assert_eq!(topics(b"\0\x01\0\0\0\x02\0\x01a"), None, "the second topic is missing");
        assert_eq!(topics(b"\xff\xff\0\0\0\0"), None);
    }
}
