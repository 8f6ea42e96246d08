//! The schemas of types, as the document holds them.

use schemars::Schema;
use schemars::generate::{SchemaGenerator, SchemaSettings};
use schemars::transform::{RecursiveTransform, Transform};
use serde_json::{Value, json};

use crate::document::Ordered;
use crate::operation::MakeSchema;

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
pub fn path_parameters(path: &str, schema: &Value) -> Vec<Value> {
    let names = path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(name.trim_start_matches('*'))
    });
    names
        .enumerate()
        .map(|(index, name)| {
            let by_name = schema.pointer(&format!("/properties/{name}"));
            let in_order = || schema.pointer(&format!("/prefixItems/{index}"));
            let own = by_name.or_else(in_order).unwrap_or(schema);
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

#[cfg(test)]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};

    use super::*;

    /// The fields are for their names and types alone.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Line {
        order: i64,
        /// From 1 on.
        #[schemars(range(min = 1))]
        line: Option<u8>,
        #[serde(default)]
        note: String,
    }

    mod other {
        /// Another of the same name.
        #[derive(schemars::JsonSchema)]
        pub struct Line;
    }

    fn described(parameters: &[Value]) -> Vec<(&str, &str, bool, &Value)> {
        let described = parameters.iter().map(|it| {
            let text = |key: &str| it[key].as_str().unwrap();
            let required = it["required"] == true;
            (text("name"), text("in"), required, &it["schema"])
        });
        described.collect()
    }

    #[test]
    fn parameters_of_a_path_have_their_schemas_by_name_in_order_or_alone() {
        let (int64, uint8) = (
            json!({ "type": "integer", "format": "int64", "minimum": i64::MIN, "maximum": i64::MAX }),
            json!({ "type": "integer", "format": "uint8", "minimum": 1, "maximum": 255 }),
        );
        let any_uint8 =
            json!({ "type": "integer", "format": "uint8", "minimum": 0, "maximum": 255 });
        let two = "/orders/{order}/lines/{line}";
        let makes: [(&str, MakeSchema, &[&Value]); 3] = [
            (two, Line::json_schema, &[&int64, &uint8]),
            (two, <(i64, u8)>::json_schema, &[&int64, &any_uint8]),
            ("/orders/{order}", i64::json_schema, &[&int64]),
        ];
        for (path, make, expected) in makes {
            let schema = Schemas::default().of(make, Use::Taken);
            let parameters = path_parameters(path, &schema);
            let expected = expected.iter().zip(["order", "line"]);
            let expected: Vec<_> = expected
                .map(|(schema, name)| (name, "path", true, *schema))
                .collect();
            assert_eq!(described(&parameters), expected);
        }
    }

    #[test]
    fn what_a_query_may_leave_out_is_not_required() {
        let schema = Schemas::default().of(Line::json_schema, Use::Taken);
        let parameters = query_parameters(&schema);
        let required: Vec<_> = described(&parameters)
            .iter()
            .map(|(name, place, required, _)| (*name, *place, *required))
            .collect();
        assert_eq!(
            required,
            [
                ("line", "query", false),
                ("note", "query", false),
                ("order", "query", true)
            ]
        );
        assert_eq!(parameters[0]["description"], "From 1 on.");
    }

    #[test]
    #[should_panic(expected = "two schemas are called \"Line\"")]
    fn two_schemas_of_one_name_are_told_apart_by_a_person() {
        let mut schemas = Schemas::default();
        schemas.of(SchemaGenerator::subschema_for::<Line>, Use::Taken);
        schemas.of(SchemaGenerator::subschema_for::<other::Line>, Use::Given);
    }
}
