//! Signatures as JSON Schema, for those who make calls from JSON.

use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::object::signature::{Argument, Shape, Signature};

/// The dialect of all schemas here: <https://json-schema.org/draft/2020-12/schema>.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// What a method takes, replies and raises, each as JSON Schema of the dialect [`DIALECT`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Schemas {
    /// The arguments, as an object with their names.
    pub args: Value,
    /// The reply.
    pub reply: Value,
    /// The data of the error it raises, if it raises any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Value>,
}

impl Signature {
    /// The same as JSON Schema, which fits the values as the JSON serializer writes them.
    ///
    /// Arguments that may be null may be left out; those that have a default may be left out as well, which a type does not tell, so they are
    /// said to be required.
    ///
    /// ```
    /// # use pyroxene::object::signature::Signature;
    /// # #[derive(serde::Deserialize)] struct Withdraw { amount: u8 }
    /// # let _ = |withdraw: Withdraw| withdraw.amount;
    /// let schemas = Signature::of::<Withdraw, bool, ()>("withdraw", false).schemas();
    /// assert_eq!(schemas.args["properties"]["amount"]["maximum"], 255);
    /// assert_eq!(schemas.reply["type"], "boolean");
    /// ```
    pub fn schemas(&self) -> Schemas {
        let fields: Vec<(&str, &Shape)> = self.args.iter().map(|Argument { name, shape }| (&**name, shape)).collect();
        Schemas {
            args: whole(|named| object(&fields, named)),
            reply: self.reply.schema(),
            error: self.error.as_ref().map(Shape::schema),
        }
    }
}

impl Shape {
    /// The same as JSON Schema.
    pub fn schema(&self) -> Value {
        whole(|named| part(self, named))
    }
}

/// Types that have a name and contain themselves.
type Named = Map<String, Value>;

/// A schema with the types it refers to beside it.
fn whole(make: impl FnOnce(&mut Named) -> Value) -> Value {
    let mut named = Named::new();
    let mut schema = make(&mut named);
    if !named.is_empty()
        && let Value::Object(schema) = &mut schema
    {
        schema.insert("$defs".to_owned(), Value::Object(named));
    }
    schema
}

fn part(shape: &Shape, named: &mut Named) -> Value {
    match shape {
        Shape::Unit => json!({ "type": "null" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Int { bits, signed } => integer(*bits, *signed),
        Shape::Float { .. } => json!({ "type": "number" }),
        Shape::Char => json!({ "type": "string", "minLength": 1, "maxLength": 1 }),
        Shape::Text => json!({ "type": "string" }),
        Shape::Bytes => json!({ "type": "array", "items": integer(8, false) }),
        Shape::Option(inner) => json!({ "anyOf": [part(inner, named), { "type": "null" }] }),
        Shape::List(item) => json!({ "type": "array", "items": part(item, named) }),
        Shape::Tuple(items) => tuple(items.iter(), named),
        // Whatever the keys are, JSON has text.
        Shape::Map(_, value) => json!({ "type": "object", "additionalProperties": part(value, named) }),
        Shape::Struct { name, fields } => {
            let schema = structure(fields, named);
            titled(name, shape, schema, named)
        }
        Shape::Enum { name, variants } => {
            let schema = json!({ "oneOf": variants.iter().map(|(name, carried)| variant(name, carried, named)).collect::<Vec<_>>() });
            titled(name, shape, schema, named)
        }
        Shape::Recursive(name) => json!({ "$ref": format!("#/$defs/{}", pointer(name)) }),
        Shape::Opaque(_) => json!({}),
    }
}

/// A type with a name; one that contains itself stands among the definitions, and is referred to.
fn titled(name: &str, shape: &Shape, mut schema: Value, named: &mut Named) -> Value {
    if name.is_empty() {
        return schema;
    }
    if let Value::Object(schema) = &mut schema {
        schema.insert("title".to_owned(), name.into());
    }
    if !contains(shape, name) {
        return schema;
    }
    named.insert(name.to_owned(), schema);
    json!({ "$ref": format!("#/$defs/{}", pointer(name)) })
}

/// Whether the type of this name is met again inside.
fn contains(shape: &Shape, name: &str) -> bool {
    match shape {
        Shape::Recursive(inner) => inner == name,
        Shape::Option(inner) | Shape::List(inner) => contains(inner, name),
        Shape::Map(key, value) => contains(key, name) || contains(value, name),
        Shape::Tuple(items) => items.iter().any(|item| contains(item, name)),
        Shape::Struct { fields: members, .. } | Shape::Enum { variants: members, .. } => {
            members.iter().any(|(_, member)| contains(member, name))
        }
        _ => false,
    }
}

/// A name as a part of a JSON pointer (RFC 6901) in a URI.
fn pointer(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn structure(fields: &[(String, Shape)], named: &mut Named) -> Value {
    let by_place = !fields.is_empty() && fields.iter().enumerate().all(|(at, (name, _))| *name == at.to_string());
    match fields {
        // A struct around one value is that value.
        [(_, only)] if by_place => part(only, named),
        _ if by_place => tuple(fields.iter().map(|(_, shape)| shape), named),
        _ => object(&fields.iter().map(|(name, shape)| (&**name, shape)).collect::<Vec<_>>(), named),
    }
}

fn object(fields: &[(&str, &Shape)], named: &mut Named) -> Value {
    let required: Vec<&str> =
        fields.iter().filter(|(_, shape)| !matches!(shape, Shape::Option(_))).map(|(name, _)| *name).collect();
    let properties: Map<String, Value> =
        fields.iter().map(|(name, shape)| ((*name).to_owned(), part(shape, named))).collect();
    json!({ "type": "object", "properties": properties, "required": required })
}

fn tuple<'a>(items: impl ExactSizeIterator<Item = &'a Shape>, named: &mut Named) -> Value {
    let count = items.len();
    let items: Vec<Value> = items.map(|item| part(item, named)).collect();
    json!({ "type": "array", "prefixItems": items, "minItems": count, "maxItems": count })
}

fn variant(name: &str, carried: &Shape, named: &mut Named) -> Value {
    match carried {
        Shape::Unit => json!({ "const": name }),
        carried => {
            let properties = Map::from_iter([(name.to_owned(), part(carried, named))]);
            json!({ "type": "object", "properties": properties, "required": [name], "additionalProperties": false })
        }
    }
}

fn integer(bits: u8, signed: bool) -> Value {
    match (bits, signed) {
        (8..=63, false) => json!({ "type": "integer", "minimum": 0, "maximum": (1_u64 << bits) - 1 }),
        (8..=63, true) => {
            json!({ "type": "integer", "minimum": -(1_i64 << (bits - 1)), "maximum": (1_i64 << (bits - 1)) - 1 })
        }
        (64, false) => json!({ "type": "integer", "minimum": 0, "maximum": u64::MAX }),
        (64, true) => json!({ "type": "integer", "minimum": i64::MIN, "maximum": i64::MAX }),
        (_, false) => json!({ "type": "integer", "minimum": 0 }),
        (_, true) => json!({ "type": "integer" }),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::object::signature::shape_of;

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its structure matters")]
    struct Tree {
        label: String,
        children: Vec<Tree>,
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its structure matters")]
    enum Size {
        Small,
        Exactly(i8),
        Between { low: f64, high: f64 },
    }

    #[derive(Deserialize)]
    #[expect(dead_code, reason = "only its structure matters")]
    struct Grow {
        tree: Tree,
        to: Option<Size>,
        at: (u16, char),
    }

    #[test]
    fn arguments_are_an_object_with_their_names() {
        let schemas = Signature::of::<Grow, (), u64>("grow", true).schemas();
        assert_eq!(schemas.args["required"], json!(["tree", "at"]), "what may be null may be left out");
        let at = json!({
            "type": "array",
            "prefixItems": [{ "type": "integer", "minimum": 0, "maximum": 65_535 }, { "type": "string", "minLength": 1, "maxLength": 1 }],
            "minItems": 2,
            "maxItems": 2,
        });
        assert_eq!(schemas.args["properties"]["at"], at);
        assert_eq!(schemas.reply, json!({ "type": "null" }));
        assert_eq!(schemas.error.unwrap()["maximum"], json!(u64::MAX));
    }

    #[test]
    fn a_type_that_contains_itself_is_defined_once() {
        let schema = shape_of::<Option<Tree>>().schema();
        let tree = json!({ "$ref": "#/$defs/Tree" });
        assert_eq!(schema["anyOf"][0], tree);
        let defined = &schema["$defs"]["Tree"];
        assert_eq!(defined["properties"]["children"], json!({ "type": "array", "items": tree }));
        assert_eq!((&defined["title"], &defined["required"]), (&json!("Tree"), &json!(["label", "children"])));
    }

    #[test]
    fn variants_are_written_as_serde_writes_them() {
        let schema = shape_of::<Size>().schema();
        assert_eq!(schema["title"], "Size");
        let variants = schema["oneOf"].as_array().unwrap();
        assert_eq!(variants[0], json!({ "const": "Small" }));
        assert_eq!(variants[1]["properties"]["Exactly"], json!({ "type": "integer", "minimum": -128, "maximum": 127 }));
        assert_eq!(variants[2]["properties"]["Between"]["required"], json!(["low", "high"]));
    }
}
