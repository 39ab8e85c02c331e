//! Who may talk to the control plane: its certificate authority, the certificates of server and users, the
//! key of the service accounts' tokens, and the kubeconfig files that carry them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use serde_json::json;
use sha2::{Digest, Sha256};

/// The names by which a client may reach the API server.
const SERVER_NAMES: [&str; 5] = [
    "127.0.0.1",
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
];

/// Names of the files that the servers read, in the scratch folder.
pub(super) const CA_FILE: &str = "ca.crt";
pub(super) const SERVER_CERTIFICATE_FILE: &str = "server.crt";
pub(super) const SERVER_KEY_FILE: &str = "server.key";
pub(super) const TOKEN_KEY_FILE: &str = "tokens.key";
pub(super) const TOKEN_PUBLIC_FILE: &str = "tokens.pub";

/// The certificate authority that the API server and its clients trust.
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Holds the files, and the kubeconfig files later; no other user can read it.
    folder: PathBuf,
}

impl Authority {
    /// Makes the authority and writes all that the servers need into `folder`.
    pub(super) fn create(folder: &Path) -> Result<Self> {
        let mut parameters = CertificateParams::default();
        parameters
            .distinguished_name
            .push(DnType::CommonName, "onetimeshare-test-ca");
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().context("making the key of the authority")?;
        let issuer = CertifiedIssuer::self_signed(parameters, key).context("making the authority")?;
        let authority = Self {
            issuer,
            folder: folder.to_owned(),
        };

        let names: Vec<String> = SERVER_NAMES.map(str::to_owned).into();
        let mut parameters = CertificateParams::new(names).context("naming the server")?;
        parameters
            .distinguished_name
            .push(DnType::CommonName, "kube-apiserver");
        let (certificate, key) = authority.sign(parameters, ExtendedKeyUsagePurpose::ServerAuth)?;
        let tokens = KeyPair::generate().context("making the key of the tokens")?;
        for (name, text) in [
            (CA_FILE, authority.pem()),
            (SERVER_CERTIFICATE_FILE, certificate),
            (SERVER_KEY_FILE, key),
            (TOKEN_KEY_FILE, tokens.serialize_pem()),
            (TOKEN_PUBLIC_FILE, tokens.public_key_pem()),
        ] {
            write(&folder.join(name), &text)?;
        }
        Ok(authority)
    }

    /// The authority's certificate.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// The kubeconfig file of `user`, made on the first call.
    pub(super) fn kubeconfig(&self, server: &str, user: &str, groups: &[&str]) -> Result<PathBuf> {
        let digest = Sha256::digest(format!("{user:?} {groups:?}"));
        let name: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        let path = self.folder.join(format!("user-{name}.kubeconfig"));
        if path.exists() {
            return Ok(path);
        }
        let (certificate, key) = self.user(user, groups)?;
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "test", "cluster": {
                "server": server,
                "certificate-authority-data": STANDARD.encode(self.pem()),
            }}],
            "users": [{"name": user, "user": {
                "client-certificate-data": STANDARD.encode(certificate),
                "client-key-data": STANDARD.encode(key),
            }}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "current-context": "test",
        });
        write(
            &path,
            &serde_yaml_ng::to_string(&config).context("writing a kubeconfig")?,
        )?;
        Ok(path)
    }

    /// A client certificate: Kubernetes takes the user from the common name, the groups from the
    /// organizations.
    fn user(&self, user: &str, groups: &[&str]) -> Result<(String, String)> {
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, user);
        // rcgen holds one value per kind of name. The same kind given by its number is another one to rcgen,
        // and the same in the certificate: enough for a service account, which is in two groups.
        let kinds = [DnType::OrganizationName, DnType::CustomDnType(vec![2, 5, 4, 10])];
        if groups.len() > kinds.len() {
            bail!(
                "{user}: a test user can be in at most {} groups, not {groups:?}",
                kinds.len()
            );
        }
        for (kind, group) in kinds.into_iter().zip(groups) {
            parameters.distinguished_name.push(kind, *group);
        }
        self.sign(parameters, ExtendedKeyUsagePurpose::ClientAuth)
    }

    /// A new key and its certificate, both as PEM: certificate first.
    fn sign(
        &self,
        mut parameters: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> Result<(String, String)> {
        parameters.extended_key_usages = vec![usage];
        parameters.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        // So that Go can tell by the key, not only by the name, which authority signed it.
        parameters.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate().context("making a key")?;
        let certificate = parameters
            .signed_by(&key, &self.issuer)
            .context("signing a certificate")?;
        Ok((certificate.pem(), key.serialize_pem()))
    }
}

/// Writes a whole file or none: tests in parallel may ask for the same user.
pub(super) fn write(path: &Path, text: &str) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        let folder = path.parent().unwrap_or_else(|| Path::new("."));
        // A temporary file can be read by its owner only.
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        std::io::Write::write_all(&mut file, text.as_bytes())?;
        file.persist(path)?;
        Ok(())
    };
    attempt().with_context(|| format!("writing {}", path.display()))
}
