//! Asks the brokers for the id of their cluster, as `WorkerConfig.kafkaClusterId` of Java's worker (4.3.1) does at its start.

use std::time::{Duration, Instant};

use landfall_api::Properties;

use super::client::admin_properties;
use super::error::KafkaError;
use super::raw::Inquiry;

/// How often the client is asked whether a broker has answered.
const LOOK: Duration = Duration::from_millis(250);
/// The wait before it is said that no broker answers. It doubles each time it is said, up to [`MOST_PATIENCE`].
const PATIENCE: Duration = Duration::from_secs(5);
const MOST_PATIENCE: Duration = Duration::from_secs(300);
/// librdkafka's code for "all brokers are down", which says less than what it comes after.
const ALL_BROKERS_DOWN: i32 = -187;

/// The id of the cluster that the worker's properties name, asked with the worker's settings of an admin client. Waits until a
/// broker answers, and says now and then in the log that none does and why. To give up, drop the future.
///
/// Java's worker exits when no broker answers at its start. This one goes on: its tasks try again by themselves too, so a worker
/// that is started before its brokers needs nobody to start it again.
///
/// # Errors
/// A setting that the client does not take; asking again is of no use.
pub async fn cluster_id(worker: &Properties) -> Result<String, KafkaError> {
    let settings = admin_properties(worker);
    if !settings.faults.is_empty() {
        return Err(KafkaError::configuration(settings.faults.to_string()));
    }
    settings.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    // Connects again by itself, with back-off between reconnect.backoff.ms and reconnect.backoff.max.ms.
    let inquiry = Inquiry::new(&settings)?;
    let servers = settings.librdkafka.get("bootstrap.servers").map_or("", String::as_str);
    let (mut patience, mut since) = (PATIENCE, Instant::now());
    let mut reason = "no answer yet".to_owned();
    loop {
        if let Some(id) = inquiry.cluster_id() {
            return Ok(id);
        }
        if let Some(last) = inquiry.faults().into_iter().rfind(|fault| fault.code != ALL_BROKERS_DOWN) {
            reason = last.message;
        }
        if since.elapsed() >= patience {
            tracing::warn!("no broker of bootstrap.servers={servers} answers: {reason}; trying on");
            (patience, since) = ((patience * 2).min(MOST_PATIENCE), Instant::now());
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;

    use super::*;

    fn worker(properties: &[(&str, &str)]) -> Properties {
        properties.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    #[tokio::test]
    async fn a_broker_tells_its_cluster() {
        let cluster = MockCluster::new(1).expect("mock cluster");
        let worker = worker(&[("bootstrap.servers", &cluster.bootstrap_servers())]);
        let id = tokio::time::timeout(Duration::from_secs(20), cluster_id(&worker)).await.expect("in time").expect("an id");
        assert!(id.starts_with("mockCluster"), "{id}");
    }

    #[tokio::test]
    async fn a_bad_setting_is_named_without_its_value() {
        let jaas = [
            ("security.protocol", "SASL_SSL"),
            ("sasl.mechanism", "PLAIN"),
            ("admin.sasl.jaas.config", "Plain secret"),
            ("bootstrap.servers", "localhost:1"),
        ];
        let error = cluster_id(&worker(&jaas)).await.expect_err("no login");
        assert!(error.is_fatal() && error.message.contains("admin.sasl.jaas.config"), "{error}");
        assert!(!error.message.contains("Plain secret"), "{error}");
        let error = cluster_id(&worker(&[("bootstrap.servers", "localhost:1"), ("request.timeout.ms", "soon")])).await;
        assert!(error.expect_err("no number").message.contains("Invalid value soon for configuration request.timeout.ms"));
    }
}
