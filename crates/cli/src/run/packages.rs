//! Access packages.

use serde_json::json;
use wane_api::package::{NewPackage, PackageItem};
use wane_api::query::Listing;

use super::{Done, facts, more};
use crate::access::{Session, pages};
use crate::args::package as args;
use crate::exit::{Exit, Stop};
use crate::show;

pub(super) async fn package(args: args::Package, s: &Session) -> Done {
    let client = s.client()?;
    let package = match args {
        args::Package::Add(args) => {
            let item = |item: crate::args::item::Item| match item.role {
                Some(role) => Ok(PackageItem { role, resource: item.resource }),
                None => Err(Stop::usage(format!("`{}` names no role; write ROLE@RESOURCE", item.resource))),
            };
            let input = NewPackage {
                name: args.package,
                description: args.description,
                items: args.items.into_iter().map(item).collect::<Result<_, _>>()?,
                groups: args.groups,
                attributes: facts(&args.attributes)?,
                at_most: args.at_most,
            };
            s.out.busy("the package is entered", client.new_package(&input)).await?
        }
        args::Package::List(many) => {
            let listing = pages(many.into(), |cursor, limit| {
                let client = &client;
                async move { client.packages(&Listing { cursor, limit }).await }
            });
            let page = s.out.busy("the server is asked", listing).await?;
            s.out.put(&page, |layout| show::package::list(&page.items, layout));
            more(s, page.next.as_ref());
            return Ok(Exit::Done);
        }
        args::Package::Show(args) => s.out.busy("the server is asked", client.package(&args.package)).await?,
        args::Package::Remove(args) => {
            s.out.busy("the package is taken out", client.remove_package(&args.package)).await?;
            s.put(&json!({ "removed": args.package }), &format!("{} is taken out", args.package));
            return Ok(Exit::Done);
        }
    };
    s.out.put(&package, |layout| show::package::one(&package, &s.present(), layout));
    Ok(Exit::Done)
}
