//! What a client is told before it is one.

use std::ffi::CString;
use std::ptr::{self, NonNull};
use std::sync::Arc;

use rdkafka_sys as rd;

use crate::kafka::client::ConsumerSettings;
use crate::kafka::error::KafkaError;
use crate::kafka::security::oauth::Tokens;

/// librdkafka's settings of a client, and where its tokens come from.
pub(crate) struct Settings<'a> {
    pub(super) pairs: Vec<(&'a str, &'a str)>,
    pub(super) tokens: Option<Arc<Tokens>>,
}

impl<'a> From<&'a ConsumerSettings> for Settings<'a> {
    fn from(settings: &'a ConsumerSettings) -> Self {
        let pairs = settings.librdkafka.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        Self { pairs: pairs.collect(), tokens: settings.tokens.clone() }
    }
}

impl<'a, const N: usize> From<[(&'a str, &'a str); N]> for Settings<'a> {
    fn from(pairs: [(&'a str, &'a str); N]) -> Self {
        pairs.into_iter().collect()
    }
}

impl<'a> FromIterator<(&'a str, &'a str)> for Settings<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a str)>>(pairs: T) -> Self {
        Self { pairs: pairs.into_iter().collect(), tokens: None }
    }
}

/// A configuration that no client has taken over.
pub(super) struct Conf(pub(super) NonNull<rd::rd_kafka_conf_t>);

impl Conf {
    pub(super) fn new<'a>(settings: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, KafkaError> {
        // SAFETY: librdkafka aborts rather than give null.
        let conf = Self(unsafe { NonNull::new_unchecked(rd::rd_kafka_conf_new()) });
        for (key, value) in settings.into_iter().chain([("log.queue", "true")]) {
            let (Ok(name), Ok(text)) = (CString::new(key), CString::new(value)) else {
                return Err(KafkaError::configuration(format!("the value of {key} has a NUL character")));
            };
            // SAFETY: both texts are copied. The reason is not read: it may hold the value, and the value may be a secret.
            let set = unsafe { rd::rd_kafka_conf_set(conf.0.as_ptr(), name.as_ptr(), text.as_ptr(), ptr::null_mut(), 0) };
            match set {
                rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => {}
                rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_UNKNOWN => {
                    return Err(KafkaError::configuration(format!("librdkafka has no setting {key}")));
                }
                rd::rd_kafka_conf_res_t::RD_KAFKA_CONF_INVALID => {
                    return Err(KafkaError::configuration(format!("librdkafka does not take the value of {key}")));
                }
            }
        }
        Ok(conf)
    }
}

impl Drop for Conf {
    fn drop(&mut self) {
        // SAFETY: no client has taken it over.
        unsafe { rd::rd_kafka_conf_destroy(self.0.as_ptr()) }
    }
}
