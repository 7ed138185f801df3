//! Workloads: what works by itself (a pipeline, a service), and the jobs it works in.
//!
//! Owns: which issuers of tokens are believed and about what, and when what one says of a job is a workload's. A
//! workload is a person as far as requests, policies, approvals and evidence go, has somebody who answers for it, and
//! never approves. Refuses to know: how a token is checked.
//!
//! INVARIANT: a wildcard of a rule never reaches over a `/` or a `:`, and what it may stand for lies within what
//! somebody owns (held by `a_wildcard_never_reaches_over_a_border`, `a_rule_says_whose_it_is`).

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{IssuerId, JobId, PersonId, WorkloadId};
use crate::text::{Line, Name};
use crate::time::{Span, Time};

/// Most claims of one job that are kept.
const MOST_CLAIMS: usize = 64;
/// The longest name of a claim.
const LONGEST_CLAIM: usize = 64;
/// Most claims that a rule names.
const MOST_RULES: usize = 16;
/// The longest job, whatever is set.
pub const LONGEST_JOB: Span = Span::from_hours(24);
/// The bounds of how long a job may be silent.
pub const SILENCE: (Span, Span) = (Span::from_secs(5), Span::from_mins(15));

/// What policies know of a job as a text, if its issuer says it.
pub const TEXTS: [&str; 30] = [
    "actor",
    "actor_id",
    "base_ref",
    "ci_config_ref_uri",
    "deployment_tier",
    "environment",
    "event_name",
    "head_ref",
    "job_workflow_ref",
    "namespace",
    "namespace_id",
    "namespace_path",
    "pipeline_source",
    "pod",
    "project_id",
    "project_path",
    "ref",
    "ref_type",
    "repository",
    "repository_id",
    "repository_owner",
    "repository_owner_id",
    "repository_visibility",
    "runner_environment",
    "serviceaccount",
    "serviceaccount_uid",
    "sha",
    "user_login",
    "workflow",
    "workflow_ref",
];
/// What policies know of a job as a truth.
pub const TRUTHS: [&str; 2] = ["environment_protected", "ref_protected"];

/// An issuer of tokens about jobs. Never deleted, only removed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Issuer {
    /// Opaque identity.
    pub id: IssuerId,
    /// Unique name.
    pub name: Name,
    /// What sort it is of: which claims say whose a job is.
    pub sort: IssuerSort,
    /// Its issuer identifier, exactly as its tokens say it.
    pub issuer: String,
    /// For whom its tokens have to be made, and for nobody else.
    pub audience: String,
    /// How its tokens may be signed.
    pub algorithms: BTreeSet<Signing>,
    /// The only certificate authorities it is trusted by, in PEM; none for those that the machine trusts.
    pub ca_pem: Option<String>,
    /// Its keys (RFC 7517), where they are entered and never fetched: a cluster that nobody reaches.
    pub keys: Option<serde_json::Value>,
    /// Since when.
    pub since: Time,
    /// When it was removed.
    pub removed: Option<Time>,
}

/// How a token is signed (RFC 7518, RFC 8037).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "they are the standard's own names")]
pub enum Signing {
    RS256,
    PS256,
    ES256,
    EdDSA,
}

impl Signing {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::RS256, Self::PS256, Self::ES256, Self::EdDSA];

    /// The standard's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// The sorts of issuers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IssuerSort {
    /// GitHub Actions.
    Github,
    /// GitLab CI.
    Gitlab,
    /// Service accounts of a Kubernetes cluster.
    Kubernetes,
    /// Any other that OpenID Connect describes.
    Generic,
}

impl IssuerSort {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::Github, Self::Gitlab, Self::Kubernetes, Self::Generic];

    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Github => "github",
            Self::Gitlab => "gitlab",
            Self::Kubernetes => "kubernetes",
            Self::Generic => "generic",
        }
    }

    /// The one of this word.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// The claims that say whose a job is, of which a rule names one at least.
    #[must_use]
    pub const fn says_whose(self) -> &'static [&'static str] {
        match self {
            Self::Github => &["repository", "repository_id", "repository_owner", "repository_owner_id", "sub"],
            Self::Gitlab => &["project_path", "project_id", "namespace_path", "namespace_id", "sub"],
            Self::Kubernetes => &["namespace", "sub"],
            Self::Generic => &["sub"],
        }
    }

    /// The claim that says what began a job, and how those begin that somebody outside can begin.
    const fn begun_outside(self) -> Option<(&'static str, &'static [&'static str])> {
        match self {
            Self::Github => Some(("event_name", &["pull_request"])),
            Self::Gitlab => Some(("pipeline_source", &["merge_request", "external_pull_request"])),
            Self::Kubernetes | Self::Generic => None,
        }
    }
}

/// Why a rule is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// Not a pattern.
    #[error("`{0}` is no pattern: write 1 to 256 plain characters on one line, with at most 4 `*`")]
    Pattern(String),
    /// Not the name of a claim.
    #[error("`{0}` is no claim: write its name as the issuer does, at most 64 characters")]
    Claim(String),
    /// Too many.
    #[error("a rule names 1 to {MOST_RULES} claims, not {0}")]
    Many(usize),
    /// Everybody's jobs would do.
    #[error(
        "the rule lets in jobs of anybody: name one of {} with no `*` before its first `/`",
        claims.iter().map(|claim| format!("`{claim}`")).collect::<Vec<_>>().join(", ")
    )]
    Anybodys {
        /// The claims that say whose a job is.
        claims: &'static [&'static str],
    },
}

/// What a claim has to say: exactly this text, or one with something in the place of each `*`, which is one character
/// at least and never `/` or `:`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Pattern(String);

impl TryFrom<String> for Pattern {
    type Error = RuleError;

    fn try_from(text: String) -> Result<Self, RuleError> {
        let plain = text.parse::<Line>().is_ok() && !text.is_empty() && !text.contains("**");
        if plain && text.matches('*').count() <= 4 {
            Ok(Self(text))
        } else {
            Err(RuleError::Pattern(text.chars().take(64).collect()))
        }
    }
}

impl FromStr for Pattern {
    type Err = RuleError;
    fn from_str(text: &str) -> Result<Self, RuleError> {
        text.to_owned().try_into()
    }
}

impl From<Pattern> for String {
    fn from(pattern: Pattern) -> Self {
        pattern.0
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Pattern {
    /// Whether a claim says that. Letters count as they stand.
    #[must_use]
    pub fn fits(&self, said: &str) -> bool {
        let mut parts = self.0.split('*');
        let Some(rest) = parts.next().and_then(|first| said.strip_prefix(first)) else { return false };
        let parts: Vec<&str> = parts.collect();
        stands_for(&parts, rest)
    }

    /// Whether what it stands for is within what one owner has: no `*` before the first `/`.
    #[must_use]
    fn is_rooted(&self) -> bool {
        let before = |at: usize| self.0.get(..at).unwrap_or_default();
        self.0.find('*').is_none_or(|at| before(at).contains('/'))
    }
}

/// Whether a text is something, then the first part, then something, then the next, and so on to its end.
fn stands_for(parts: &[&str], text: &str) -> bool {
    let Some((part, rest)) = parts.split_first() else { return text.is_empty() };
    for (at, c) in text.char_indices() {
        if matches!(c, '/' | ':') {
            return false;
        }
        let after = text.get(at.saturating_add(c.len_utf8())..).unwrap_or_default();
        if after.strip_prefix(part).is_some_and(|left| stands_for(rest, left)) {
            return true;
        }
    }
    false
}

/// What an issuer says of a job, as short texts by the claims' names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobClaims(BTreeMap<String, String>);

impl FromIterator<(String, String)> for JobClaims {
    /// Keeps those that have a form in which they are kept: what is left out fits no rule.
    fn from_iter<I: IntoIterator<Item = (String, String)>>(said: I) -> Self {
        let plain =
            |(name, text): &(String, String)| is_claim(name) && text.parse::<Line>().is_ok() && !text.is_empty();
        Self(said.into_iter().filter(plain).take(MOST_CLAIMS).collect())
    }
}

fn is_claim(name: &str) -> bool {
    (1..=LONGEST_CLAIM).contains(&name.len()) && name.bytes().all(|c| c.is_ascii_graphic())
}

impl JobClaims {
    /// One of them.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, said)| (name.as_str(), said.as_str()))
    }

    /// Who or what the job is, in the issuer's own words.
    #[must_use]
    pub fn subject(&self) -> &str {
        self.get("sub").unwrap_or_default()
    }

    /// Those that policies know as texts.
    pub fn texts(&self) -> impl Iterator<Item = (&'static str, &str)> {
        TEXTS.into_iter().filter_map(|name| Some((name, self.get(name)?)))
    }

    /// Those that policies know as truths; what is neither true nor false is not said.
    pub fn truths(&self) -> impl Iterator<Item = (&'static str, bool)> {
        TRUTHS.into_iter().filter_map(|name| Some((name, self.get(name)?.parse().ok()?)))
    }
}

/// The job that something is asked in, frozen with what was asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobAsks {
    /// Which job.
    pub job: JobId,
    /// Who said what it is.
    pub issuer: IssuerId,
    /// The issuer's name, for policies.
    pub issuer_name: Name,
    /// What it said.
    pub claims: JobClaims,
}

/// What works by itself: which jobs are its. The person of the same id's is its name, and holds what it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Opaque identity.
    pub id: WorkloadId,
    /// Whom it acts as here.
    pub person: PersonId,
    /// Who says of its jobs that they are its.
    pub issuer: IssuerId,
    /// What each of these claims has to say.
    pub rule: BTreeMap<String, Pattern>,
    /// How long a job of it lasts at most.
    pub longest: Span,
    /// After how long without a word a job of it counts as over.
    pub silence: Span,
    /// Since when.
    pub since: Time,
    /// When it was removed. It stays a workload: nobody ever signs in as it.
    pub removed: Option<Time>,
}

/// Why a job is not a workload's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotIts {
    /// A claim says something else, or nothing.
    #[error("its `{claim}` is not what the rule says")]
    Claim {
        /// Which.
        claim: String,
    },
    /// Somebody outside may have begun it, and the rule does not say that this is good.
    #[error("it was begun by a `{by}`, which anybody may propose; a rule has to name `{claim}` to let that in")]
    Outside {
        /// The claim that says so.
        claim: &'static str,
        /// What it says.
        by: String,
    },
}

impl Workload {
    /// Checks a rule for jobs of one sort of issuer.
    ///
    /// # Errors
    /// When it names no claim, too many, or lets in the jobs of anybody.
    pub fn check_rule(sort: IssuerSort, rule: &BTreeMap<String, Pattern>) -> Result<(), RuleError> {
        if rule.is_empty() || rule.len() > MOST_RULES {
            return Err(RuleError::Many(rule.len()));
        }
        if let Some(claim) = rule.keys().find(|claim| !is_claim(claim)) {
            return Err(RuleError::Claim(claim.chars().take(64).collect()));
        }
        let claims = sort.says_whose();
        if claims.iter().any(|claim| rule.get(*claim).is_some_and(Pattern::is_rooted)) {
            Ok(())
        } else {
            Err(RuleError::Anybodys { claims })
        }
    }

    /// Whether a job of which its issuer says this is the workload's.
    ///
    /// INVARIANT: what anybody can begin from outside (a pull request) is let in by a rule that says so, and by no
    /// other (held by `a_pull_request_needs_a_rule_that_names_it`).
    ///
    /// # Errors
    /// Which claim is not as it has to be.
    pub fn admits(&self, sort: IssuerSort, claims: &JobClaims) -> Result<(), NotIts> {
        let other = self.rule.iter().find(|(claim, pattern)| !claims.get(claim).is_some_and(|said| pattern.fits(said)));
        if let Some((claim, _)) = other {
            return Err(NotIts::Claim { claim: claim.clone() });
        }
        if let Some((claim, outside)) = sort.begun_outside().filter(|(claim, _)| !self.rule.contains_key(*claim)) {
            let by = claims.get(claim).unwrap_or_default();
            let outside =
                outside.iter().any(|begins| by.starts_with(begins)) || claims.subject().ends_with(":pull_request");
            if outside {
                return Err(NotIts::Outside { claim, by: if by.is_empty() { "pull_request" } else { by }.to_owned() });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claims(said: &[(&str, &str)]) -> JobClaims {
        said.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    fn rule(said: &[(&str, &str)]) -> BTreeMap<String, Pattern> {
        said.iter().map(|(claim, pattern)| ((*claim).to_owned(), pattern.parse().unwrap())).collect()
    }

    fn workload(said: &[(&str, &str)]) -> Workload {
        let id = |n: u8| crate::id::TypedId::mint(Time::from_micros(0), &[n; 10]);
        Workload {
            id: crate::id::TypedId::mint(Time::from_micros(0), &[1; 10]),
            person: id(2),
            issuer: crate::id::TypedId::mint(Time::from_micros(0), &[3; 10]),
            rule: rule(said),
            longest: LONGEST_JOB,
            silence: SILENCE.0,
            since: Time::from_micros(0),
            removed: None,
        }
    }

    #[test]
    fn a_wildcard_never_reaches_over_a_border() {
        for (pattern, said, fits) in [
            ("octo/app", "octo/app", true),
            ("octo/app", "octo/app2", false),
            ("octo/app", "Octo/app", false),
            ("octo/*", "octo/app", true),
            ("octo/*", "octo/", false),
            ("octo/*", "octo/a/b", false),
            ("octo/*", "octo-evil/app", false),
            ("octo/*-deploy", "octo/a-deploy", true),
            ("octo/*-deploy", "octo/-deploy", false),
            ("octo/*-deploy", "octo/a-deploy-deploy", true),
            ("octo/*-deploy", "octo/a-deploy2", false),
            ("refs/heads/release-*", "refs/heads/release-7", true),
            ("refs/heads/release-*", "refs/heads/release-7/evil", false),
            ("refs/heads/*", "refs/tags/v1", false),
            ("repo:octo/app:ref:refs/heads/*", "repo:octo/app:ref:refs/heads/main", true),
            ("repo:octo/app:*", "repo:octo/app:ref:refs/heads/main", false),
            ("repo:octo/*:environment:prod", "repo:octo/app:environment:prod", true),
            ("repo:octo/*:environment:prod", "repo:octo/app:x:environment:prod", false),
            ("*a*b", "xayb", true),
            ("*a*b", "xab", false),
            ("é*", "éé", true),
            ("", "", false),
        ] {
            let read = pattern.parse::<Pattern>();
            assert_eq!(read.is_ok_and(|pattern| pattern.fits(said)), fits, "`{pattern}` and `{said}`");
        }
        for bad in ["", "a**", "a\nb", "a*b*c*d*e*f", "a\u{202e}b"] {
            assert!(bad.parse::<Pattern>().is_err(), "{bad:?}");
        }
        assert!("x".repeat(257).parse::<Pattern>().is_err());
    }

    #[test]
    fn a_rule_says_whose_it_is() {
        use IssuerSort::{Generic, Github, Gitlab, Kubernetes};
        for (sort, said, good) in [
            (Github, vec![("repository", "octo/app")], true),
            (Github, vec![("repository", "octo/*")], true),
            (Github, vec![("repository", "*/app")], false),
            (Github, vec![("repository", "octo-*/app")], false),
            (Github, vec![("repository_id", "74*")], false),
            (Github, vec![("repository_id", "74")], true),
            (Github, vec![("ref", "refs/heads/main")], false),
            (Github, vec![("environment", "prod"), ("actor", "octocat")], false),
            (Github, vec![("job_workflow_ref", "octo/app/.github/workflows/x.yml@refs/heads/main")], false),
            (Github, vec![("sub", "repo:octo/app:environment:prod")], true),
            (Github, vec![("sub", "repo:*")], false),
            (Gitlab, vec![("project_path", "group/app")], true),
            (Gitlab, vec![("project_path", "*")], false),
            (Gitlab, vec![("ref", "main")], false),
            (Kubernetes, vec![("namespace", "ci"), ("serviceaccount", "*")], true),
            (Kubernetes, vec![("namespace", "ci-*")], false),
            (Kubernetes, vec![("serviceaccount", "deploy")], false),
            (Generic, vec![("sub", "job-1")], true),
            (Generic, vec![("team", "a")], false),
            (Generic, vec![], false),
        ] {
            assert_eq!(Workload::check_rule(sort, &rule(&said)).is_ok(), good, "{sort:?} {said:?}");
        }
    }

    #[test]
    fn a_rule_names_one_to_sixteen_claims() {
        let sub = rule(&[("sub", "job")]);
        for (count, checked) in
            [(0, Err(RuleError::Many(0))), (1, Ok(())), (16, Ok(())), (17, Err(RuleError::Many(17)))]
        {
            let more = (1..count).map(|n| (format!("c{n}"), "x".parse().unwrap()));
            let named: BTreeMap<_, _> = sub.clone().into_iter().chain(more).take(count).collect();
            assert_eq!(Workload::check_rule(IssuerSort::Generic, &named), checked, "{count}");
        }
    }

    /// Neither is such a claim of a job kept, nor is it named by a rule.
    #[test]
    fn a_claim_is_called_by_plain_characters() {
        let (longest, longer) = ("x".repeat(64), "x".repeat(65));
        for (claim, good) in [
            ("ref", true),
            ("https://issuer.test/claim", true),
            (&longest, true),
            (&longer, false),
            ("", false),
            ("a b", false),
            ("a\n", false),
            ("é", false),
        ] {
            assert_eq!(claims(&[(claim, "x")]).get(claim).is_some(), good, "{claim:?} of a job");
            let checked = Workload::check_rule(IssuerSort::Generic, &rule(&[("sub", "job"), (claim, "x")]));
            let expected = if good { Ok(()) } else { Err(RuleError::Claim(claim.chars().take(64).collect())) };
            assert_eq!(checked, expected, "{claim:?} in a rule");
        }
    }

    #[test]
    fn a_pattern_is_stored_as_it_was_written() {
        for text in ["octo/app", "repo:octo/*:environment:prod"] {
            let pattern: Pattern = text.parse().unwrap();
            assert_eq!(serde_json::to_value(&pattern).unwrap(), text);
            assert_eq!(serde_json::from_value::<Pattern>(text.into()).unwrap(), pattern);
        }
        assert!(serde_json::from_value::<Pattern>("a**".into()).is_err());
    }

    /// The word that people write is the one that is stored, and no other is taken for it.
    #[test]
    fn sorts_of_issuers_and_ways_of_signing_have_one_word_each() {
        for sort in IssuerSort::ALL {
            assert_eq!(IssuerSort::named(sort.name()), Some(sort));
            assert_eq!(serde_json::to_value(sort).unwrap(), sort.name());
        }
        for way in Signing::ALL {
            assert_eq!(Signing::named(way.name()), Some(way));
            assert_eq!(serde_json::to_value(way).unwrap(), way.name());
        }
        for other in ["", "none", "HS256", "rs256", "GitHub"] {
            assert_eq!((IssuerSort::named(other), Signing::named(other)), (None, None), "{other}");
        }
    }

    #[test]
    fn a_job_is_a_workloads_if_every_claim_says_so() {
        let deploy = workload(&[("repository_id", "74"), ("environment", "prod"), ("ref", "refs/heads/main")]);
        let good = [
            ("sub", "repo:octo/app:environment:prod"),
            ("repository", "octo/app"),
            ("repository_id", "74"),
            ("environment", "prod"),
            ("ref", "refs/heads/main"),
            ("event_name", "push"),
        ];
        deploy.admits(IssuerSort::Github, &claims(&good)).unwrap();
        for at in [2, 3, 4] {
            let without: Vec<_> = good.iter().enumerate().filter(|(n, _)| *n != at).map(|(_, c)| *c).collect();
            assert!(deploy.admits(IssuerSort::Github, &claims(&without)).is_err(), "without {}", good[at].0);
            let mut other = good;
            other[at].1 = "other";
            assert!(deploy.admits(IssuerSort::Github, &claims(&other)).is_err(), "another {}", good[at].0);
        }
        // Renamed, it is the same; whoever takes the name that is free now is somebody else.
        let mut renamed = good;
        renamed[1].1 = "octo/renamed";
        deploy.admits(IssuerSort::Github, &claims(&renamed)).unwrap();
    }

    #[test]
    fn a_pull_request_needs_a_rule_that_names_it() {
        let (plain, named) =
            (workload(&[("repository", "octo/app")]), [("repository", "octo/app"), ("event_name", "pull_request")]);
        let job = |event: &'static str, sub: &'static str| {
            claims(&[("repository", "octo/app"), ("event_name", event), ("sub", sub)])
        };
        for (event, sub, good) in [
            ("push", "repo:octo/app:ref:refs/heads/main", true),
            ("pull_request", "repo:octo/app:pull_request", false),
            ("pull_request_target", "repo:octo/app:ref:refs/heads/main", false),
            ("push", "repo:octo/app:pull_request", false),
        ] {
            assert_eq!(plain.admits(IssuerSort::Github, &job(event, sub)).is_ok(), good, "{event} {sub}");
        }
        workload(&named).admits(IssuerSort::Github, &job("pull_request", "repo:octo/app:pull_request")).unwrap();
        let merge = claims(&[("project_path", "group/app"), ("pipeline_source", "merge_request_event")]);
        assert!(workload(&[("project_path", "group/app")]).admits(IssuerSort::Gitlab, &merge).is_err());
    }

    #[test]
    fn what_has_no_form_is_left_out_and_fits_nothing() {
        let long = "x".repeat(300);
        let said = claims(&[("repository", "octo/app\n"), ("ref", &long), ("sub", ""), ("ref_protected", "yes")]);
        assert_eq!(said.iter().count(), 1);
        assert_eq!((said.texts().count(), said.truths().count()), (0, 0));
        let said = claims(&[("ref_protected", "true"), ("environment", "prod"), ("unknown", "x")]);
        assert_eq!(said.texts().collect::<Vec<_>>(), [("environment", "prod")]);
        assert_eq!(said.truths().collect::<Vec<_>>(), [("ref_protected", true)]);
    }
}
