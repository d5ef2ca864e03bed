//! `file.name.template` of Aiven's sinks (`io.aiven.kafka.connect.common.templating.Template`, 3.4).

use super::{Absent, Part, Parts, Template};
use crate::partition::extract::Extractor;
use crate::partition::zone::Zone;

/// The sets of variables that Aiven's sinks have, in their words.
const SETS: &str = "topic,partition,start_offset,timestamp; topic,partition,key,start_offset,timestamp; key; key,topic,partition";

impl Template {
    /// The template that `text` is, behind `prefix` (`file.name.prefix`, which need not end with a slash). `several` says whether rows
    /// may come from more than one topic.
    ///
    /// # Errors
    /// What is wrong with it, as far as possible in Aiven's words. Templates without an offset, whose files Aiven overwrites with the
    /// newest record of each key, are refused: here no file is ever overwritten.
    pub fn aiven(prefix: &str, text: &str, zone: Zone, extractor: Extractor, several: bool) -> Result<Self, String> {
        let mut parts = Parts::default();
        parts.text(prefix);
        let mut variables = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("{{") {
            parts.text(before);
            let (inside, after) = after.split_once("}}").ok_or_else(|| format!("the braces before {after:?} are not closed"))?;
            let (name, parameter) = inside.trim().split_once(':').map_or((inside.trim(), None), |(n, p)| (n, Some(p)));
            parts.push(variable(name, parameter)?);
            variables.push(name.to_owned());
            rest = after;
        }
        parts.text(rest);
        let has = |name: &str| variables.iter().any(|variable| variable == name);
        if has("key") && !has("start_offset") {
            return Err(
                "a template with {{key}} and without {{start_offset}} has one file for each key, which newer records overwrite: \
                        files are never overwritten here, add {{topic}}, {{partition}} and {{start_offset}}"
                    .into(),
            );
        }
        if !["topic", "partition", "start_offset"].iter().all(|name| has(name)) {
            return Err(format!("unsupported set of template variables, supported sets are: {SETS}"));
        }
        Self::new(parts, Absent::Word("null"), zone, extractor, several)
    }
}

fn variable(name: &str, parameter: Option<&str>) -> Result<Part, String> {
    let parameters = || {
        let all = "partition:padding=true|false,start_offset:padding=true|false,timestamp:unit=yyyy|MM|dd|HH";
        format!("unsupported set of template variables parameters, supported sets are: {all}")
    };
    let width = |digits: usize| match parameter {
        None | Some("padding=false") => Ok(0),
        Some("padding=true") => Ok(digits),
        Some(_) => Err(parameters()),
    };
    Ok(match name {
        "topic" => Part::Topic,
        "key" => Part::Key(Vec::new()),
        "partition" => Part::Partition(width(10)?),
        "start_offset" => Part::Offset(width(20)?),
        "timestamp" => Part::Time(vec![match parameter.map(|unit| unit.strip_prefix("unit=")) {
            Some(Some(unit @ ("yyyy" | "MM" | "dd" | "HH"))) => unit.to_owned(),
            // Aiven reads it as the year, with a warning
            Some(Some("YYYY")) => "yyyy".to_owned(),
            Some(_) => return Err(parameters()),
            None => {
                let values = "yyyy|MM|dd|HH";
                return Err(format!("parameter unit is required for the the variable timestamp, supported values are: {values}"));
            }
        }]),
        "" => return Err("Variable name hasn't been set for template".into()),
        _ => return Err(format!("unsupported set of template variables, supported sets are: {SETS}")),
    })
}
