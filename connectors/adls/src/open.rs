//! The place where a connector lands, for those who look at it from outside of a task.

use std::sync::Arc;

use landfall_api::{Faults, Properties, SinkConnector as _};
use landfall_lake::name::Names;
use landfall_lake::storage::Storage;

use crate::landing::{Landing, Stores};
use crate::{
    AivenAzureBlobSink, AzureBlobStorageSink, AzureDataLakeGen2Sink, AzureDataLakeSink, LensesDatalakeSink, aiven, blob,
    datalake, gen2, lake_sink,
};

/// Where a connector lands.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Where its files are.
    pub files: Arc<dyn Storage>,
    /// How they are called.
    pub names: Names,
    /// Where the pointers of its partitions are.
    pub pointers: Arc<dyn Storage>,
    /// The folder of the pointers, to which topic and partition are added; empty for none.
    pub folder: String,
}

type Read = fn(&Properties, &mut Faults) -> Option<Landing>;

/// Where a connector of `class`, a Java class name, lands by its own properties. Asks nothing of the store.
///
/// # Errors
/// What is wrong with the properties, or that the class is none of those here.
pub fn open(class: &str, properties: &Properties) -> Result<Opened, Faults> {
    let readers: [(&str, Read); 5] = [
        (AzureDataLakeGen2Sink.class(), gen2::read),
        (AzureBlobStorageSink.class(), blob::read),
        (AivenAzureBlobSink.class(), aiven::read),
        (LensesDatalakeSink.class(), datalake::read),
        (AzureDataLakeSink.class(), lake_sink::read),
    ];
    let mut faults = Faults::default();
    let Some((_, read)) = readers.iter().find(|(known, _)| *known == class) else {
        faults.push("connector.class", format!("connector.class={class} lands no files in a store"));
        return Err(faults);
    };
    let landing = read(properties, &mut faults);
    let landing = faults.clone().or(landing)?;
    let refused = |why: String| {
        faults.push("store.url", why);
        faults
    };
    let Stores { files, pointers, folder } = match landing.stores() {
        Ok(stores) => stores,
        Err(error) => return Err(refused(error.to_string())),
    };
    match landing.lake.layout(landing.format, landing.prefix) {
        Ok(layout) => Ok(Opened { files, names: layout.names, pointers, folder }),
        Err(why) => Err(refused(why)),
    }
}
