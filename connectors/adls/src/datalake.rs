//! `io.lenses.streamreactor.connect.datalake.sink.DatalakeSinkConnector` (stream-reactor 11.x).

pub mod kcql;
