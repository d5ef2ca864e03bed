//! The keys that say what a changed schema does. Names, types and defaults are those of `StorageSinkConnectorConfig` (12.0).

use landfall_api::{Faults, Key, Properties, Width, config};

use super::Rule;

config! {
    /// What a changed schema does.
    pub struct SchemaKeys {
        /// Whether a file's schema grows when records of another one come (widen; the default of io.landfall.azure.AzureDataLakeSink), or
        /// schema.compatibility says what happens (compatibility; the default of the other classes). Files that grow have the fields of
        /// all records so far, in every folder: a record that lacks one has null there, and numbers have the smallest type that holds all
        /// of them exactly. Only what no column can hold, such as text after numbers, and what the encoder has begun to write, ends a
        /// file. Values without a schema always grow.
        schema: String = "landfall.schema" { default: Some("compatibility"), group: "Schema", width: Width::Short, display: "Changes of schemas", valid: OneOf(&["widen", "compatibility"]), dependents: &["schema.compatibility"] };
        /// What happens when the schema of the records of a folder changes, where landfall.schema=compatibility; all open files of a
        /// partition end if its files end together. NONE: any difference ends the file, and the next one has the new schema. BACKWARD and
        /// FULL: so does a newer version of the schema, or one that cannot be projected; records of older versions are projected to the
        /// file's. FORWARD: an older version does, and newer ones are projected, without their new fields. Schemas need versions for all
        /// but NONE, as those of a registry have them; otherwise records of a second schema are refused.
        schema_compatibility: String = "schema.compatibility" { default: Some("NONE"), importance: High, group: "Schema", width: Width::Short, display: "Schema Compatibility", valid: OneOf(&["NONE", "BACKWARD", "FORWARD", "FULL"]) };
    }
}

impl SchemaKeys {
    /// Reads the keys as `declared` changes them.
    pub fn read(declared: fn(Key) -> Key, properties: &Properties, faults: &mut Faults) -> Option<Self> {
        Self::parse_as(declared, properties, faults)
    }

    /// What they say.
    #[must_use]
    pub fn rule(&self) -> Rule {
        match (&*self.schema, &*self.schema_compatibility) {
            ("widen", _) => Rule::Widen,
            (_, "BACKWARD") => Rule::Backward,
            (_, "FORWARD") => Rule::Forward,
            (_, "FULL") => Rule::Full,
            _ => Rule::None,
        }
    }

    /// Warnings about keys that are set and have no effect.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let ignored = self.schema == "widen" && self.schema_compatibility != "NONE";
        let ignored = ignored.then(|| "schema.compatibility has no effect in Landfall: landfall.schema=widen".to_owned());
        ignored.into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (SchemaKeys, Vec<String>) {
        let given: Properties = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let mut faults = Faults::default();
        let keys = SchemaKeys::read(std::convert::identity, &given, &mut faults).unwrap_or_else(|| panic!("{faults}"));
        let warnings = keys.warnings();
        (keys, warnings)
    }

    #[test]
    fn what_is_given_is_the_rule() {
        for (name, rule) in [("NONE", Rule::None), ("BACKWARD", Rule::Backward), ("FORWARD", Rule::Forward), ("FULL", Rule::Full)]
        {
            let given = ("schema.compatibility", name);
            assert_eq!(read(&[given]).0.rule(), rule);
            assert_eq!(read(&[given, ("landfall.schema", "compatibility")]).0.rule(), rule);
            let (keys, warnings) = read(&[given, ("landfall.schema", "widen")]);
            assert_eq!((keys.rule(), warnings.len()), (Rule::Widen, usize::from(rule != Rule::None)), "{warnings:?}");
        }
        assert_eq!((read(&[]).0.rule(), read(&[]).1), (Rule::None, vec![]));
        let mut faults = Faults::default();
        SchemaKeys::read(
            std::convert::identity,
            &Properties::from([("schema.compatibility".into(), "full".into())]),
            &mut faults,
        );
        let why =
            "Invalid value full for configuration schema.compatibility: String must be one of: NONE, BACKWARD, FORWARD, FULL";
        assert_eq!(faults.to_string(), why);
    }
}
