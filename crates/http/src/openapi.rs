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
    let bearer = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of a session.")).build();
    components.security_schemes.insert("session".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    let bearer =
        HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("The token of a joined host.")).build();
    components.security_schemes.insert("host".to_owned(), RefOr::T(SecurityScheme::Http(bearer)));
    for item in document.paths.paths.values_mut() {
        for write in [&mut item.post, &mut item.put, &mut item.patch, &mut item.delete].into_iter().flatten() {
            write.parameters.get_or_insert_default().push(RefOr::T(idempotency_key()));
        }
    }
    document.security = Some(vec![SecurityRequirement::new::<_, [&str; 0], &str>("session", [])]);
    document
}
