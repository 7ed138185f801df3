//! Access packages.

use wane_api::package::{PackageItem, PackageView};
use wane_domain::package::Package;

use super::{Names, at, span};

pub(crate) fn package(names: Names<'_>, package: &Package) -> PackageView {
    let world = names.0;
    let meant = world
        .people
        .values()
        .filter(|p| world.is_active(p.id) && package.rule.means(p, &world.groups_of(p.id)))
        .map(|p| p.id);
    PackageView {
        name: package.name.to_string(),
        description: package.description.to_string(),
        items: package
            .items
            .iter()
            .map(|item| PackageItem { role: names.role(item.role), resource: names.resource(item.resource) })
            .collect(),
        groups: package.rule.groups.iter().map(ToString::to_string).collect(),
        attributes: package.rule.attributes.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        at_most: package.at_most.map(span),
        people: names.people(meant),
        since: at(package.since),
    }
}
