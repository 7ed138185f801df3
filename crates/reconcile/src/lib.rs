//! Idempotent passes that need no message from anyone: expire, revoke, sweep, inventory.
