//! What a cluster of workers keeps in its internal topics, as state that records make and as the records that make it.
//!
//! [`config`] is what is to run, [`status`] what is running; [`topics`] says which topics they are. All of it is pure:
//! [`log`](crate::kafka::log) brings the records and takes them away.

pub mod config;
mod json;
pub mod status;
pub mod topics;

pub use config::{Change, ConfigState, RestartRequest, SessionKey};
pub use status::{StatusRecord, Statuses, TopicStatus};

/// A key and a value, as a topic gets them; no value is a tombstone.
pub type Record = (String, Option<Vec<u8>>);

/// The number of a task and the name of its connector, of what follows the prefix of a key. A name may have dashes itself.
fn task_of(rest: &str) -> Option<(&str, usize)> {
    // Java splits at dashes and drops what is empty at the end
    let (name, number) = rest.trim_end_matches('-').rsplit_once('-')?;
    let number: i32 = number.parse().ok()?;
    Some((name, usize::try_from(number).ok()?))
}

#[cfg(test)]
mod tests {
    use super::task_of;

    #[test]
    fn a_name_may_have_dashes() {
        assert_eq!(task_of("a-b-12"), Some(("a-b", 12)));
        assert_eq!(task_of("a--1"), Some(("a-", 1)));
        assert_eq!(task_of("a-1--"), Some(("a", 1)));
        assert_eq!(task_of("-0"), Some(("", 0)));
        for none in ["", "-", "a", "a-", "a-b", "7", "a-99999999999"] {
            assert_eq!(task_of(none), None, "{none}");
        }
    }
}
