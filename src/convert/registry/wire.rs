//! Confluent's wire format: a magic byte and the id of the schema, before the payload or in a header
//! (`io.confluent.kafka.serializers.schema.id.SchemaId`, 8.x).

use landfall_api::RecordError;

use super::SchemaId;

/// Java's class of what goes wrong between bytes and objects. [`Framed`](super::Framed) puts the converter's own exception around it.
pub(in crate::convert) const SERIALIZATION: &str = "org.apache.kafka.common.errors.SerializationException";

/// A `SerializationException`.
pub(in crate::convert) fn serialization(message: impl Into<String>) -> RecordError {
    RecordError { class: SERIALIZATION, message: message.into() }
}

/// The id that `bytes` begin with, and what stands after it: `0` and 4 bytes of a number, or `1` and 16 of a GUID.
pub(in crate::convert) fn split_id(bytes: &[u8]) -> Result<(SchemaId, &[u8]), RecordError> {
    let id = match bytes {
        [0, rest @ ..] => rest.split_first_chunk().map(|(id, rest)| (SchemaId::Number(i32::from_be_bytes(*id).into()), rest)),
        [1, rest @ ..] => rest.split_first_chunk().map(|(guid, rest)| (SchemaId::Guid(u128::from_be_bytes(*guid)), rest)),
        [] => None,
        [..] => return Err(serialization("Error deserializing schema ID: Unknown magic byte!")),
    };
    id.ok_or_else(|| serialization(format!("Error deserializing schema ID: {} bytes are too few", bytes.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_number_or_a_guid() {
        assert_eq!(split_id(&[0, 0, 0, 1, 2, 9, 8]), Ok((SchemaId::Number(258), &[9, 8][..])));
        let mut guid = vec![1];
        guid.extend(0x0123_4567_89ab_cdef_0f1e_2d3c_4b5a_6978_u128.to_be_bytes());
        let (id, rest) = split_id(&guid).expect("an id");
        assert_eq!(id.to_string(), "01234567-89ab-cdef-0f1e-2d3c4b5a6978");
        assert_eq!(rest, b"");
        for (bytes, message) in [
            (&[][..], "Error deserializing schema ID: 0 bytes are too few"),
            (&[0, 1, 2, 3], "Error deserializing schema ID: 4 bytes are too few"),
            (&[1, 1, 2, 3], "Error deserializing schema ID: 4 bytes are too few"),
            (b"{\"a\":1}", "Error deserializing schema ID: Unknown magic byte!"),
        ] {
            assert_eq!(split_id(bytes), Err(serialization(message)));
        }
    }
}
