//! What receivers that speak TLS show: certificates of one authority, good and bad, and what they agree to.

use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::PrivateKeyDer;
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::receiver::NAME;

type Builder = ConfigBuilder<ServerConfig, WantsServerCert>;

/// A ServerHello of TLS 1.1 (RFC 4346 §7.4.1.3), whatever the client has offered.
pub fn hello_of_tls_1_1() -> Vec<u8> {
    // A record of type handshake, of version 3.2, with 42 octets; in it a ServerHello of 38, of the same version.
    let heads = [22, 3, 2, 0, 42, 2, 0, 0, 38, 3, 2];
    // 32 octets of no importance, no session id, TLS_RSA_WITH_AES_128_CBC_SHA, no compression.
    [&heads[..], &[7; 32], &[0, 0, 0x2f, 0]].concat()
}

/// A fatal alert: no common version (RFC 8446 §6.2).
pub const NO_COMMON_VERSION: [u8; 7] = [21, 3, 1, 0, 2, 2, 70];

/// An authority that endpoints trust, and whom it issues certificates to.
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

fn key() -> KeyPair {
    KeyPair::generate().expect("a key can be made")
}

fn params_of(name: &str) -> CertificateParams {
    CertificateParams::new(vec![name.to_owned()]).expect("a host name")
}

impl Authority {
    pub fn new(name: &str) -> Self {
        // There are two in the tree.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, key()).expect("an authority signs itself"))
    }

    /// What endpoints are given to trust.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Nothing is wrong with it.
    pub fn good(&self) -> ServerConfig {
        self.of(params_of(NAME))
    }

    /// Its time is over.
    pub fn expired(&self) -> ServerConfig {
        let mut params = params_of(NAME);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.of(params)
    }

    /// Its time has not come.
    pub fn of_tomorrow(&self) -> ServerConfig {
        let mut params = params_of(NAME);
        params.not_before = date_time_ymd(2999, 1, 1);
        self.of(params)
    }

    /// It is another host's.
    pub fn of_another_name(&self) -> ServerConfig {
        self.of(params_of("another.test"))
    }

    /// No authority has signed it.
    pub fn self_signed(&self) -> ServerConfig {
        let own = key();
        let certificate = params_of(NAME).self_signed(&own).expect("it signs itself");
        showing(ServerConfig::builder().with_no_client_auth(), &certificate, &own)
    }

    /// Speaks this one version only.
    pub fn of_version(&self, version: &'static SupportedProtocolVersion) -> ServerConfig {
        let (certificate, own) = self.issue(params_of(NAME));
        let builder = ServerConfig::builder_with_protocol_versions(&[version]);
        showing(builder.with_no_client_auth(), &certificate, &own)
    }

    /// Speaks HTTP/2, and says so.
    pub fn of_http2(&self) -> ServerConfig {
        let mut config = self.good();
        config.alpn_protocols = vec![b"h2".to_vec()];
        config
    }

    /// Demands a certificate of the client.
    pub fn demanding(&self) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).expect("the authority is one");
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).build().expect("there is a root");
        let (certificate, own) = self.issue(params_of(NAME));
        showing(ServerConfig::builder().with_client_cert_verifier(verifier), &certificate, &own)
    }

    fn of(&self, params: CertificateParams) -> ServerConfig {
        let (certificate, own) = self.issue(params);
        showing(ServerConfig::builder().with_no_client_auth(), &certificate, &own)
    }

    fn issue(&self, params: CertificateParams) -> (Certificate, KeyPair) {
        let own = key();
        (params.signed_by(&own, &self.0).expect("the authority signs"), own)
    }
}

fn showing(builder: Builder, certificate: &Certificate, own: &KeyPair) -> ServerConfig {
    let own = PrivateKeyDer::try_from(own.serialize_der()).expect("a key of a known kind");
    builder.with_single_cert(vec![certificate.der().clone()], own).expect("they belong together")
}
