//! Ids, time values, and the lifecycle from request to closure. Pure.
