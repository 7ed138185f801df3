//! Routes to use-cases, authentication of callers, problem+json.
