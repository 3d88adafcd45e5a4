//! `{unit} {units} {start} {end} {file}` in arguments, environment values and the stdin's name (section 9).

use thiserror::Error;

/// A text with a placeholder nobody knows.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// Not one of the five names, or a lone brace.
    #[error(
        "`{text}`: unknown placeholder `{{{name}}}`; known are {{unit}} {{units}} {{start}} {{end}} {{file}}, and {{{{ for a brace"
    )]
    Unknown {
        /// The whole text.
        text: String,
        /// What stood between the braces.
        name: String,
    },
    /// `{` without `}` or the other way round.
    #[error("`{0}`: a lone brace; write {{{{ or }}}} for a brace itself")]
    LoneBrace(String),
    /// `{file}` where the split knows no file.
    #[error("`{0}`: this split has no {{file}}")]
    NoFile(String),
}

/// What the placeholders stand for in one unit.
#[derive(Clone, Debug)]
pub(crate) struct Values<'a> {
    pub(crate) unit: u32,
    pub(crate) units: u32,
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) file: Option<&'a str>,
}

/// Replaces the placeholders in `text`.
pub(crate) fn fill(text: &str, values: &Values<'_>) -> Result<String, TemplateError> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{").or_else(|| rest.strip_prefix("}}")) {
            out.push_str(&rest[..1]);
            rest = after;
            continue;
        }
        let lone = || TemplateError::LoneBrace(text.to_owned());
        let (name, after) = rest
            .strip_prefix('{')
            .and_then(|r| r.split_once('}'))
            .ok_or_else(lone)?;
        match name {
            "unit" => out.push_str(&values.unit.to_string()),
            "units" => out.push_str(&values.units.to_string()),
            "start" => out.push_str(&values.start.to_string()),
            "end" => out.push_str(&values.end.to_string()),
            "file" => out.push_str(
                values
                    .file
                    .ok_or_else(|| TemplateError::NoFile(text.to_owned()))?,
            ),
            other => {
                return Err(TemplateError::Unknown {
                    text: text.to_owned(),
                    name: other.to_owned(),
                });
            }
        }
        rest = after;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_braces_and_errors() {
        let values = Values {
            unit: 3,
            units: 9,
            start: 30,
            end: 40,
            file: Some("a b.txt"),
        };
        assert_eq!(
            fill("-t{unit}/{units} {start}..{end} {file}", &values).unwrap(),
            "-t3/9 30..40 a b.txt"
        );
        assert_eq!(fill("{{unit}} }}{{", &values).unwrap(), "{unit} }{");
        assert!(matches!(
            fill("{tile}", &values),
            Err(TemplateError::Unknown { .. })
        ));
        assert!(matches!(
            fill("a { b", &values),
            Err(TemplateError::LoneBrace(_))
        ));
        assert!(matches!(
            fill("a } b", &values),
            Err(TemplateError::LoneBrace(_))
        ));
        let none = Values {
            file: None,
            ..values
        };
        assert!(matches!(
            fill("{file}", &none),
            Err(TemplateError::NoFile(_))
        ));
    }
}
