// SPDX-License-Identifier: GPL-2.0-only OR MIT
//! A program as a line of JSON that a person can read and change: an array of calls, each `{"NAME": {FIELD: VALUE,
//! …}}`.
//!
//! A value is a number; `"#2"`, the number that was given two times ago; `"+2"`, the time in two milliseconds; an array of
//! rows; or `{"room": BYTES, "fill": BYTE}`. The rows of a commit are settings, each `{"NAME": {FIELD: VALUE, …}}`. Default values are omitted. A key with an `@` is about the call or the pointer itself: `@at` is the place of
//! its structure, `@size` another size in the ioctl's number.
//!
//! Source: none.

use serde_json::{Map, Value as Json, json};

use crate::program::{Address, Call, Program, Value};
use crate::spec::{Field, Kind, Setting};

const AT: &str = "@at";
const SIZE: &str = "@size";

/// Returns a program as a line without its end.
pub fn write(program: &Program) -> String {
    Json::Array(program.calls.iter().map(call_to_json).collect()).to_string()
}

/// Parses a line, or returns what is wrong with it.
pub fn read(line: &str) -> Result<Program, String> {
    let Json::Array(calls) = serde_json::from_str(line).map_err(|error| error.to_string())? else {
        return Err("a program is an array of calls".to_owned());
    };
    Ok(Program { calls: calls.iter().map(call_from_json).collect::<Result<_, _>>()? })
}

fn call_to_json(call: &Call) -> Json {
    let spec = call.spec();
    let mut fields = row_to_json(spec.fields, &call.values);
    if call.at != Address::Good {
        fields.insert(AT.into(), json!(call.at));
    }
    if let Some(size) = call.size {
        fields.insert(SIZE.into(), json!(size));
    }
    json!({ spec.name: fields })
}

fn call_from_json(json: &Json) -> Result<Call, String> {
    let only = json.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
    let (name, fields) = only.ok_or("a call is an object with its name as the only key")?;
    let fields = fields.as_object().ok_or_else(|| format!("the fields of `{name}` are no object"))?;
    let mut call = Call::named(name).ok_or_else(|| format!("there is no call `{name}`"))?;
    let known = |key: &String| [AT, SIZE].contains(&key.as_str()) || has(call.spec().fields, key);
    if let Some(key) = fields.keys().find(|key| !known(key)) {
        return Err(format!("`{name}` has no field `{key}`"));
    }
    call.values = row_from_json(call.spec().fields, fields)?;
    call.at = address(fields)?;
    if let Some(size) = fields.get(SIZE) {
        let size = size.as_u64().and_then(|size| u16::try_from(size).ok()).filter(|size| *size < 1 << 14);
        call.size = Some(size.ok_or_else(|| format!("`{SIZE}` of `{name}` is less than {}", 1 << 14))?);
    }
    Ok(call)
}

fn has(fields: &[Field], name: &str) -> bool {
    fields.iter().any(|field| field.name == name)
}

fn row_to_json(fields: &[Field], values: &[Value]) -> Map<String, Json> {
    let telling = fields.iter().zip(values).filter(|(field, value)| **value != Value::nothing(field.kind));
    telling.map(|(field, value)| (field.name.to_owned(), value_to_json(field.kind, value))).collect()
}

fn value_to_json(kind: Kind, value: &Value) -> Json {
    match (kind, value) {
        (Kind::Rows(fields) | Kind::One(fields), Value::Rows(at, rows)) => {
            rows_to_json(*at, rows.iter().map(|row| Json::Object(row_to_json(fields, row))).collect())
        }
        (Kind::Settings(settings), Value::Settings(at, rows)) => {
            let setting = |(which, row): &(u8, Vec<Value>)| {
                let Setting { name, fields } = settings[usize::from(*which)];
                json!({ name: row_to_json(fields, row) })
            };
            rows_to_json(*at, rows.iter().map(setting).collect())
        }
        (_, Value::Rows(..) | Value::Settings(..)) => unreachable!("only fields of these kinds have rows"),
        (_, Value::Room(at, size, fill)) => match at {
            Address::Good => json!({ "room": size, "fill": fill }),
            at => json!({ AT: at, "room": size, "fill": fill }),
        },
        (_, Value::Auto) => json!("auto"),
        (_, Value::Number(number)) => json!(number),
        (_, Value::Ago(ago)) => json!(format!("#{ago}")),
        (_, Value::Soon(milliseconds)) => json!(format!("+{milliseconds}")),
    }
}

fn rows_to_json(at: Address, rows: Vec<Json>) -> Json {
    if at == Address::Good { Json::Array(rows) } else { json!({ AT: at, "rows": rows }) }
}

fn row_from_json(fields: &[Field], map: &Map<String, Json>) -> Result<Vec<Value>, String> {
    let value = |field: &Field| match map.get(field.name) {
        None => Ok(Value::nothing(field.kind)),
        Some(json) => {
            let value = value_from_json(field.kind, json)?;
            let wrong = || format!("`{}` cannot be {json}", field.name);
            if value.fits(field.kind) { Ok(value) } else { Err(wrong()) }
        }
    };
    fields.iter().map(value).collect()
}

fn value_from_json(kind: Kind, json: &Json) -> Result<Value, String> {
    let rows = |at: Address, rows: &[Json]| {
        if let Kind::Settings(settings) = kind {
            let settings = rows.iter().map(|row| setting_from_json(settings, row));
            return Ok(Value::Settings(at, settings.collect::<Result<_, _>>()?));
        }
        let Some(fields) = kind.rows() else { return Err(format!("no rows can be here: {json}")) };
        let row = |row: &Json| row_from_json(fields, row.as_object().ok_or("a row is an object")?);
        Ok(Value::Rows(at, rows.iter().map(row).collect::<Result<_, _>>()?))
    };
    match json {
        Json::Number(number) => {
            number.as_u64().map(Value::Number).ok_or_else(|| format!("{number} is no 64-bit number"))
        }
        Json::String(text) if text == "auto" => Ok(Value::Auto),
        Json::String(text) => {
            let behind = |mark| text.strip_prefix(mark).and_then(|number| number.parse().ok());
            let value = behind('#').map(Value::Ago).or_else(|| behind('+').map(Value::Soon));
            value.ok_or_else(|| format!("`{text}` is no value"))
        }
        Json::Array(array) => rows(Address::Good, array),
        Json::Object(map) => {
            if let Some(Json::Array(array)) = map.get("rows") {
                return rows(address(map)?, array);
            }
            let number = |key: &str| map.get(key).and_then(Json::as_u64);
            let room = || Some((number("room")?.try_into().ok()?, number("fill")?.try_into().ok()?));
            let (size, fill) = room().ok_or_else(|| format!("{json} is neither rows nor room"))?;
            Ok(Value::Room(address(map)?, size, fill))
        }
        Json::Null | Json::Bool(_) => Err(format!("`{json}` is no value")),
    }
}

fn setting_from_json(settings: &[Setting], json: &Json) -> Result<(u8, Vec<Value>), String> {
    let only = json.as_object().filter(|map| map.len() == 1).and_then(|map| map.iter().next());
    let (name, fields) = only.ok_or("a setting is an object with its name as the only key")?;
    let fields = fields.as_object().ok_or_else(|| format!("the fields of `{name}` are no object"))?;
    let which = settings.iter().position(|setting| setting.name == name);
    let which = which.ok_or_else(|| format!("there is no setting `{name}`"))?;
    if let Some(key) = fields.keys().find(|key| !has(settings[which].fields, key)) {
        return Err(format!("`{name}` has no field `{key}`"));
    }
    Ok((u8::try_from(which).expect("there are few"), row_from_json(settings[which].fields, fields)?))
}

fn address(map: &Map<String, Json>) -> Result<Address, String> {
    let Some(json) = map.get(AT) else { return Ok(Address::Good) };
    serde_json::from_value(json.clone()).map_err(|_| format!("{json} is no address"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::Source;
    use crate::spec::Driver;

    #[test]
    fn whatever_is_made_is_read_back() {
        for driver in Driver::ALL {
            let source = Source::new(driver);
            let mut random = fastrand::Rng::with_seed(7);
            for _ in 0..300 {
                let program = source.program(&mut random);
                assert_eq!(read(&write(&program)).unwrap(), program);
            }
        }
    }

    #[test]
    fn the_corpus_can_be_read_and_is_written_as_it_is() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
        for file in std::fs::read_dir(folder).unwrap() {
            let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for line in text.lines() {
                assert_eq!(write(&read(line).unwrap()), line);
            }
        }
    }

    #[test]
    fn a_line_says_what_is_wrong_with_it() {
        assert_eq!(read(r#"[{"opn": {}}]"#).unwrap_err(), "there is no call `opn`");
        assert_eq!(read(r#"[{"open": {"mode": 1}}]"#).unwrap_err(), "`open` has no field `mode`");
        assert_eq!(read(r##"[{"open": {"node": "#1"}}]"##).unwrap_err(), "`node` cannot be \"#1\"");
        let setting = |name: &str| read(&format!(r#"[{{"atomic": {{"objects": [{{"{name}": {{"x": 1}}}}]}}}}]"#));
        assert_eq!(setting("flp").unwrap_err(), "there is no setting `flp`");
        assert_eq!(setting("flip").unwrap_err(), "`flip` has no field `x`");
        assert!(read("{}").is_err());
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        let line = r##"[{"open":{"node":1}},{"gem_close":{"handle":"#1"}},{"set_master":{"@at":"null"}},{"syncobj_wait":{"timeout":"+5"}}]"##;
        assert_eq!(write(&read(line).unwrap()), line);
    }
}
