//! The fetch session of a request (`FetchMetadata`; KIP-227).

/// The session id and epoch of a [`super::FetchRequest`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FetchMetadata {
    /// The session; 0: none.
    pub session_id: i32,
    /// The number of the request within its session, from 1; 0: a full fetch that requests a new
    /// session; -1: a full fetch that requests none.
    pub epoch: i32,
}

impl FetchMetadata {
    /// The id that means no session.
    pub const NO_SESSION: i32 = 0;
    /// A full fetch that requests a session.
    pub const INITIAL: Self = Self { session_id: Self::NO_SESSION, epoch: 0 };
    /// A fetch without a session, such as those of the metadata quorum.
    pub const SESSIONLESS: Self = Self { session_id: Self::NO_SESSION, epoch: -1 };

    /// Whether the request names all partitions, rather than those that have changed in its
    /// session.
    pub fn is_full(self) -> bool {
        self.epoch == 0 || self.is_final()
    }

    /// Whether the request ends its session, if any, and requests no other.
    pub fn is_final(self) -> bool {
        self.epoch == -1
    }

    /// The first incremental fetch of a new session.
    pub fn first_of(session_id: i32) -> Self {
        Self { session_id, epoch: 1 }
    }

    /// The next fetch of the session.
    pub fn next(self) -> Self {
        let epoch = match self.epoch {
            -1 => -1,
            i32::MAX => 1,
            epoch => epoch + 1,
        };
        Self { epoch, ..self }
    }

    /// A full fetch that ends the session and requests a new one.
    pub fn anew(self) -> Self {
        Self { epoch: 0, ..self }
    }
}
