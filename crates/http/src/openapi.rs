//! The OpenAPI document: made from the routes, never written by hand.

use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AdditionalProperties, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ContentBuilder, InfoBuilder, LicenseBuilder, Object, OpenApi, Ref, RefOr, Response, ResponseBuilder,
    Schema, SecurityRequirement,
};
use utoipa::{IntoResponses, PartialSchema as _, ToSchema as _};
use wane_api::problem::PROBLEM_JSON;
use wane_api::{LONGEST_KEY, Problem};

use crate::routes;

/// Any error, of any route.
#[derive(Debug)]
pub(crate) struct Problems;

impl IntoResponses for Problems {
    fn responses() -> std::collections::BTreeMap<String, RefOr<Response>> {
        let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
        let response =
            ResponseBuilder::new().description("An error (RFC 9457).").content(PROBLEM_JSON, content).build();
        [("default".to_owned(), RefOr::T(response))].into()
    }
}

/// The header every write takes.
fn idempotency_key() -> Parameter {
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .description(Some(
            "The same call under the same key is done once and answered alike; an answer that handed out a secret is \
             not given again.",
        ))
        .schema(Some(Object::builder().schema_type(Type::String).min_length(Some(1)).max_length(Some(LONGEST_KEY))))
        .build()
}

/// A choice between objects is one of them: what names a member of each is neither.
fn close_choices(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::OneOf(choice)) = schema else { return };
    for one in &mut choice.items {
        if let RefOr::T(Schema::Object(object)) = one
            && !object.properties.is_empty()
        {
            object.additional_properties = Some(Box::new(AdditionalProperties::FreeForm(false)));
        }
    }
}

/// A name, as the domain reads it.
const NAME: &str = "^[a-z0-9][a-z0-9._-]{0,62}$";
/// What stands in the path, where the route is about one of several of its kind.
const IN_PATHS: &[(&str, &str)] =
    &[("name", NAME), ("person", NAME), ("kind", NAME), ("id", "^[a-z]{3}_[0-9a-v]{26}$")];

/// A text of people: nothing in it hides, reorders or moves what a reader sees.
const SEEN: &str = r"\u0000-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb";
const BLANK: &str = r" \u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000";

/// The members of what is sent that are texts of people, whatever they are sent to.
fn texts() -> [(&'static str, String); 5] {
    let lines = SEEN.replace(r"\u0000-\u001f", r"\u0000-\u0008\u000b-\u001f");
    [
        ("reason", format!(r"^[^{lines}]*[^\t\n{lines}{BLANK}][^{lines}]*$")),
        ("ticket", format!("^[^{SEEN}]*[^{SEEN}{BLANK}][^{SEEN}]*$")),
        ("task", format!("^[^{SEEN}]*[^{SEEN}{BLANK}][^{SEEN}]*$")),
        ("display", format!("^[^{SEEN}]*$")),
        ("description", format!("^[^{SEEN}]*$")),
    ]
}

/// Says of the members of what is sent which texts they take.
fn word_texts(schema: &mut RefOr<Schema>) {
    let RefOr::T(Schema::Object(object)) = schema else { return };
    // What is sent is closed; what is answered is not.
    if object.additional_properties.as_deref() != Some(&AdditionalProperties::FreeForm(false)) {
        return;
    }
    for (member, pattern) in texts() {
        if let Some(RefOr::T(Schema::Object(text))) = object.properties.get_mut(member) {
            text.pattern = Some(pattern);
        }
    }
}

/// Says what a path may hold. What it holds otherwise is not there.
fn word_path(parameter: &mut RefOr<Parameter>) {
    let RefOr::T(parameter) = parameter else { return };
    let known =
        IN_PATHS.iter().find(|(name, _)| parameter.parameter_in == ParameterIn::Path && *name == parameter.name);
    if let (Some((_, pattern)), Some(RefOr::T(Schema::Object(text)))) = (known, parameter.schema.as_mut()) {
        text.pattern = Some((*pattern).to_owned());
    }
}

/// The OpenAPI document of everything under `/v1`.
#[must_use]
pub fn document() -> OpenApi {
    let (_, mut document) = routes::calls().split_for_parts();
    let (_, streams) = routes::streams().split_for_parts();
    document.merge(streams);
    document.info = InfoBuilder::new()
        .title("Wane")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Access that ends, and proof that it did. People, groups, resources and roles are named by name; \
             requests, grants and locks by id. Send an `Idempotency-Key` with a write to make it safe to send again.",
        ))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
        .build();
    let components = document.components.get_or_insert_with(Components::default);
    let mut schemas = vec![(Problem::name().into_owned(), Problem::schema())];
    Problem::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components.schemas.values_mut().for_each(close_choices);
    components.schemas.values_mut().for_each(word_texts);
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of a session.")).build();
    components.security_schemes.insert("session".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of a joined host.")).build();
    components.security_schemes.insert("host".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    for item in document.paths.paths.values_mut() {
        let calls = [&mut item.get, &mut item.post, &mut item.put, &mut item.patch, &mut item.delete];
        calls.into_iter().flatten().flat_map(|call| call.parameters.iter_mut().flatten()).for_each(word_path);
        for write in [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten() {
            write.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
        }
    }
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("session", [])]);
    document
}
