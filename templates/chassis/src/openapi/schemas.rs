//! The schemas of types, as the document holds them.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Value, json};

use super::document::Ordered;
use super::operation::MakeSchema;

/// A type may be read otherwise than it is written: a field with a default may be absent.
#[derive(Clone, Copy)]
pub enum Use {
    Taken,
    Given,
}

/// The schemas of all types.
pub struct Schemas {
    taken: SchemaGenerator,
    given: SchemaGenerator,
    pub named: Ordered,
}

impl Default for Schemas {
    fn default() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            taken: settings().for_deserialize().into_generator(),
            given: settings().for_serialize().into_generator(),
            named: Ordered::default(),
        }
    }
}

impl Schemas {
    /// The schema, or a reference to it among the named ones.
    pub fn of(&mut self, make: MakeSchema, using: Use) -> Value {
        let generator = match using {
            Use::Taken => &mut self.taken,
            Use::Given => &mut self.given,
        };
        let mut schema = make(generator);
        for (name, definition) in generator.take_definitions(false) {
            let mut definition = Schema::try_from(definition).unwrap_or_default();
            complete(&mut definition);
            let definition = definition.to_value();
            let known = self.named.0.iter().find(|(known, _)| *known == name);
            match known {
                Some((_, known)) => assert_eq!(
                    *known, definition,
                    "two schemas are called {name:?}: give one another name with `schemars(rename = \"…\")`"
                ),
                None => self.named.0.push((name, definition)),
            }
        }
        complete(&mut schema);
        schema.to_value()
    }
}

/// A schema has names, or stands for them in their order in the path, or is the one there is.
pub fn path_parameters(path: &str, schema: Value) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.trim_start_matches('*'))
    });
    names
        .enumerate()
        .map(|(index, name)| {
            let by_name = schema.pointer(&format!("/properties/{name}"));
            let in_order = || schema.pointer(&format!("/prefixItems/{index}"));
            let own = by_name.or_else(in_order).unwrap_or(&schema);
            parameter("path", name, own, true)
        })
        .collect()
}

pub fn query_parameters(schema: &Value) -> Vec<Value> {
    let required = |name: &str| {
        let required = schema["required"].as_array();
        required.is_some_and(|required| required.iter().any(|it| it == name))
    };
    let properties = schema["properties"].as_object().into_iter().flatten();
    properties
        .map(|(name, schema)| parameter("query", name, schema, required(name)))
        .collect()
}

fn parameter(place: &str, name: &str, schema: &Value, required: bool) -> Value {
    let mut schema = schema.clone();
    // In a query nothing is written as null: what may be absent is not required.
    if let Some(types) = schema["type"].as_array_mut() {
        types.retain(|it| it != "null");
        if let [one] = &types[..] {
            schema["type"] = one.clone();
        }
    }
    let mut parameter = json!({ "name": name, "in": place, "required": required });
    if let Some(description) = schema
        .as_object_mut()
        .and_then(|it| it.remove("description"))
    {
        parameter["description"] = description;
    }
    parameter["schema"] = schema;
    parameter
}

/// Numbers have the bounds of their types, where they have no narrower ones.
fn complete(schema: &mut Schema) {
    RecursiveTransform(bound).transform(schema);
}

fn bound(schema: &mut Schema) {
    let format = schema.get("format").and_then(Value::as_str);
    let (least, most) = match format {
        Some("int8") => (json!(i8::MIN), json!(i8::MAX)),
        Some("int16") => (json!(i16::MIN), json!(i16::MAX)),
        Some("int32") => (json!(i32::MIN), json!(i32::MAX)),
        Some("int64") => (json!(i64::MIN), json!(i64::MAX)),
        Some("uint8") => (json!(0), json!(u8::MAX)),
        Some("uint16") => (json!(0), json!(u16::MAX)),
        Some("uint32") => (json!(0), json!(u32::MAX)),
        Some("uint64") => (json!(0), json!(u64::MAX)),
        _ => return,
    };
    let schema = schema.ensure_object();
    schema.entry("minimum").or_insert(least);
    schema.entry("maximum").or_insert(most);
}
