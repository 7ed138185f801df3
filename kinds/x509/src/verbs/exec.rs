//! What `wane exec` gives a command to show who it is: a certificate and its key, in files that go with the command and
//! are kept fresh while it runs.

use async_trait::async_trait;
use wane_connector::verb::{Access, AccessPort, Giver, Giving, Ready, VerbError};

use super::cert::{Cert, Pair, keep_pair};
use super::files::PairFolder;

#[async_trait]
impl Giver for Cert {
    fn kind(&self) -> &'static str {
        crate::NAME
    }

    async fn give(&self, giving: &Giving<'_>, port: &dyn AccessPort, ready: Ready) -> Result<(), VerbError> {
        let at = giving.folder.join("pair");
        let mut folder = PairFolder::open(&at)?;
        let access = Access { grant: giving.grant.to_owned(), end: giving.end };
        let pair = Pair::get(port, &access, None).await?;
        pair.put(port, &mut folder)?;
        let file = |name: &str| at.join("current").join(name).display().to_string();
        ready(vec![
            ("WANE_CERT_FILE".to_owned(), file("cert.pem")),
            ("WANE_KEY_FILE".to_owned(), file("key.pem")),
            ("WANE_TRUST_FILE".to_owned(), file("trust.pem")),
        ]);
        let kept = keep_pair(port, &access, pair, &mut folder, None).await;
        folder.clear();
        kept.map(drop)
    }
}
