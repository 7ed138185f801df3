//! Workloads, who is believed about their jobs, and the jobs.

use serde_json::json;
use wane_api::workload::{NewIssuer, NewWorkload, WorkloadRule};

use super::{Done, facts};
use crate::access::Session;
use crate::args::workload as args;
use crate::exit::{Exit, Stop};
use crate::show::workload as show;

/// Who says what the jobs of github.com and gitlab.com are.
const WELL_KNOWN: [(&str, &str); 2] =
    [("github", "https://token.actions.githubusercontent.com"), ("gitlab", "https://gitlab.com")];

pub(super) async fn workload(args: args::Workload, s: &Session) -> Done {
    let client = s.client()?;
    match args {
        args::Workload::Add(args) => {
            let input =
                NewWorkload { name: args.name, display: args.display, sponsor: args.sponsor, rule: rule(args.rule)? };
            let made = s.out.busy("the workload is entered", client.new_workload(&input)).await?;
            s.out.put(&made, |layout| show::workload(&made, &s.present(), layout));
        }
        args::Workload::List => {
            let all = s.out.busy("the server is asked", client.workloads()).await?;
            s.out.put(&all, |layout| show::workloads(&all.items, layout));
        }
        args::Workload::Rule(args) => {
            let rule = rule(args.rule)?;
            let changed = client.workload_rule(&args.workload, &rule);
            let changed = s.out.busy("the rule is changed", changed).await?;
            s.out.put(&changed, |layout| show::workload(&changed, &s.present(), layout));
        }
        args::Workload::Remove(args) => {
            s.out.busy("the workload is removed", client.remove_workload(&args.workload)).await?;
            let text = format!("{} may do nothing any more, and what its jobs held ends", args.workload);
            s.put(&json!({ "removed": args.workload }), &text);
        }
        args::Workload::Jobs => {
            let all = s.out.busy("the server is asked", client.jobs()).await?;
            s.out.put(&all, |layout| show::jobs(&all.items, &s.present(), layout));
        }
        args::Workload::Issuer(args) => return issuer(args, s).await,
    }
    Ok(Exit::Done)
}

async fn issuer(args: args::Issuer, s: &Session) -> Done {
    let client = s.client()?;
    match args {
        args::Issuer::Add(args) => {
            let known = || WELL_KNOWN.iter().find(|(sort, _)| *sort == args.sort).map(|(_, url)| (*url).to_owned());
            let issuer = args
                .url
                .clone()
                .or_else(known)
                .ok_or_else(|| Stop::usage("say who issues the tokens: --url, exactly as they say it in `iss`"))?;
            let file = |path: &std::path::PathBuf| {
                let text = String::from_utf8(s.read(path)?);
                text.map_err(|_| Stop::usage(format!("`{}` is no text", path.display())))
            };
            let input = NewIssuer {
                issuer,
                ca_pem: args.ca_file.as_ref().map(file).transpose()?,
                jwks: args.jwks.as_ref().map(file).transpose()?,
                name: args.name,
                sort: args.sort,
                audience: args.audience,
                algorithms: args.algorithms,
            };
            let made = s.out.busy("the issuer is entered", client.new_issuer(&input)).await?;
            s.out.put(&made, |layout| show::issuer(&made, &s.present(), layout));
        }
        args::Issuer::List => {
            let all = s.out.busy("the server is asked", client.issuers()).await?;
            s.out.put(&all, |layout| show::issuers(&all.items, layout));
        }
        args::Issuer::Remove(args) => {
            s.out.busy("the issuer is removed", client.remove_issuer(&args.issuer)).await?;
            let text = format!("{} is believed no more, and what its jobs held ends", args.issuer);
            s.put(&json!({ "removed": args.issuer }), &text);
        }
    }
    Ok(Exit::Done)
}

fn rule(args: args::Rule) -> Result<WorkloadRule, Stop> {
    Ok(WorkloadRule { issuer: args.issuer, claims: facts(&args.claims)?, longest: args.longest, silence: args.silence })
}
