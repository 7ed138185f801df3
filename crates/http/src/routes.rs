//! The routes, by area. A route and its description are one thing.

mod approver_keys;
mod board;
mod delegations;
mod devices;
mod directories;
mod directory;
mod events;
mod figures;
mod gateways;
mod grants;
mod hosts;
mod joining;
mod keys;
mod leaving;
mod locks;
mod notices;
mod packages;
mod policy;
mod published;
mod recordings;
mod requests;
mod resources;
mod roles;
mod sessions;
mod settings;
mod terminal;
mod ways_in;
mod workloads;

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::shared::Shared;

/// Every route that answers and is done.
pub(crate) fn calls() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(sessions::health))
        .routes(routes!(sessions::openapi))
        .routes(routes!(gateways::gateways))
        .routes(routes!(settings::settings))
        .routes(routes!(sessions::enrol))
        .routes(routes!(sessions::sign_in))
        .routes(routes!(sessions::prove))
        .routes(routes!(sessions::sign_out))
        .routes(routes!(sessions::me))
        .routes(routes!(devices::begin_device))
        .routes(routes!(devices::ask_device))
        .routes(routes!(directory::people, directory::new_person))
        .routes(routes!(directory::person, directory::edit_person))
        .routes(routes!(directory::enrolment))
        .routes(routes!(leaving::offboard))
        .routes(routes!(leaving::leaving))
        .routes(routes!(ways_in::ways_in))
        .routes(routes!(ways_in::new_identity))
        .routes(routes!(ways_in::remove_way_in))
        .routes(routes!(directory::pulled))
        .routes(routes!(directory::groups, directory::new_group))
        .routes(routes!(directory::group))
        .routes(routes!(directory::add_member, directory::remove_member))
        .routes(routes!(directories::directories, directories::new_directory))
        .routes(routes!(directories::directory, directories::remove_directory))
        .routes(routes!(directories::directory_rules))
        .routes(routes!(directories::rotate_directory))
        .routes(routes!(resources::resources, resources::new_resource))
        .routes(routes!(resources::resource, resources::edit_resource, resources::remove_resource))
        .routes(routes!(resources::set_credential))
        .routes(routes!(resources::probe))
        .routes(routes!(resources::inventory))
        .routes(routes!(resources::join_code))
        .routes(routes!(hosts::join))
        .routes(routes!(hosts::revocations))
        .routes(routes!(published::published))
        .routes(routes!(keys::keys, keys::turn_keys))
        .routes(routes!(roles::roles, roles::new_role))
        .routes(routes!(roles::role, roles::edit_role, roles::remove_role))
        .routes(routes!(packages::packages, packages::new_package))
        .routes(routes!(packages::package, packages::remove_package))
        .routes(routes!(policy::policy, policy::load_policy))
        .routes(routes!(policy::check_policy))
        .routes(routes!(policy::rehearse_policy))
        .routes(routes!(policy::proposal, policy::propose, policy::withdraw_proposal))
        .routes(routes!(policy::activate_proposal))
        .routes(routes!(policy::versions))
        .routes(routes!(policy::version))
        .routes(routes!(policy::why))
        .routes(routes!(policy::why_grant))
        .routes(routes!(policy::why_request))
        .routes(routes!(policy::askable))
        .routes(routes!(requests::requests, requests::ask))
        .routes(routes!(requests::request))
        .routes(routes!(requests::withdraw))
        .routes(routes!(requests::approve))
        .routes(routes!(approver_keys::to_sign))
        .routes(routes!(approver_keys::approver_keys, approver_keys::new_approver_key))
        .routes(routes!(approver_keys::remove_approver_key))
        .routes(routes!(approver_keys::to_vouch))
        .routes(routes!(approver_keys::vouch))
        .routes(routes!(requests::deny))
        .routes(routes!(delegations::delegations, delegations::new_delegation))
        .routes(routes!(delegations::end_delegation))
        .routes(routes!(grants::grants))
        .routes(routes!(grants::grant))
        .routes(routes!(grants::credential))
        .routes(routes!(grants::acme_binding))
        .routes(routes!(grants::give_back))
        .routes(routes!(grants::extend))
        .routes(routes!(grants::deny_grant))
        .routes(routes!(grants::story))
        .routes(routes!(locks::revoke))
        .routes(routes!(locks::locks, locks::lock))
        .routes(routes!(locks::lift))
        .routes(routes!(board::debts))
        .routes(routes!(board::live))
        .routes(routes!(board::live_sessions))
        .routes(routes!(board::kill_session))
        .routes(routes!(board::log))
        .routes(routes!(figures::figures))
        .routes(routes!(figures::inventories))
        .routes(routes!(notices::notices))
        .routes(routes!(notices::retry_notice))
        .routes(routes!(notices::channels))
        .routes(routes!(notices::test_channel))
        .routes(routes!(recordings::recordings))
        .routes(routes!(recordings::search))
        .routes(routes!(recordings::verify))
        .routes(routes!(joining::type_in))
        .routes(routes!(workloads::issuers, workloads::new_issuer))
        .routes(routes!(workloads::remove_issuer))
        .routes(routes!(workloads::workloads, workloads::new_workload))
        .routes(routes!(workloads::workload_rule))
        .routes(routes!(workloads::remove_workload))
        .routes(routes!(workloads::jobs, workloads::begin_job))
        .routes(routes!(workloads::beat))
        .routes(routes!(workloads::end_job))
}

/// Routes whose answer has no end.
pub(crate) fn streams() -> OpenApiRouter<Arc<Shared>> {
    OpenApiRouter::new()
        .routes(routes!(events::events))
        .routes(routes!(recordings::play))
        .routes(routes!(recordings::watch))
        .routes(routes!(joining::join_session))
        .routes(routes!(terminal::terminal))
}

/// An answer to a write that made something.
pub(crate) fn made<T>(view: T) -> (StatusCode, Json<T>) {
    (StatusCode::CREATED, Json(view))
}
