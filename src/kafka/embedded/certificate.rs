//! An authority, and a server certificate of it for this machine's loopback addresses.
//!
//! Made anew for each broker and valid for a few days. Both private keys stay in memory: the authority's
//! is dropped at once, so nobody can ever issue another certificate in its name.

use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, MsbOption};
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Name, X509NameRef};

/// Days that both certificates are valid.
const VALID_DAYS: u32 = 7;

/// X.509 version 3, which is written as 2.
const VERSION_3: i32 = 2;

/// What was issued.
pub(super) struct Issued {
    /// The authority's certificate, PEM.
    pub(super) authority: String,
    /// The server's certificate, DER.
    pub(super) certificate: Vec<u8>,
    /// The server's private key, PKCS #8 in DER.
    pub(super) key: Vec<u8>,
}

/// Issues both certificates.
pub(super) fn issue() -> Result<Issued, ErrorStack> {
    let authority_key = key()?;
    let authority_name = name("openeventd demo authority")?;
    let mut builder = begin(&authority_name, &authority_name, &authority_key)?;
    builder.append_extension(BasicConstraints::new().critical().ca().pathlen(0).build()?)?;
    builder.append_extension(KeyUsage::new().critical().key_cert_sign().build()?)?;
    let authority = finish(builder, &authority_key)?;

    let server_key = key()?;
    let server_name = name("openeventd demo broker")?;
    let mut builder = begin(&server_name, &authority_name, &server_key)?;
    builder.append_extension(BasicConstraints::new().critical().build()?)?;
    builder.append_extension(KeyUsage::new().critical().digital_signature().build()?)?;
    builder.append_extension(ExtendedKeyUsage::new().server_auth().build()?)?;
    let names = SubjectAlternativeName::new()
        .ip("127.0.0.1")
        .dns("localhost")
        .build(&builder.x509v3_context(Some(&authority), None))?;
    builder.append_extension(names)?;
    let server = finish(builder, &authority_key)?;
    Ok(Issued {
        authority: String::from_utf8_lossy(&authority.to_pem()?).into_owned(),
        certificate: server.to_der()?,
        key: server_key.private_key_to_pkcs8()?,
    })
}

fn key() -> Result<PKey<Private>, ErrorStack> {
    let curve = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    PKey::from_ec_key(EcKey::generate(&curve)?)
}

fn name(common_name: &str) -> Result<X509Name, ErrorStack> {
    let mut builder = X509Name::builder()?;
    builder.append_entry_by_text("CN", common_name)?;
    Ok(builder.build())
}

fn begin(
    subject: &X509NameRef,
    issuer: &X509NameRef,
    key: &PKey<Private>,
) -> Result<X509Builder, ErrorStack> {
    let mut serial = BigNum::new()?;
    serial.rand(127, MsbOption::MAYBE_ZERO, false)?;
    let mut builder = X509::builder()?;
    builder.set_version(VERSION_3)?;
    builder.set_serial_number(&*serial.to_asn1_integer()?)?;
    builder.set_subject_name(subject)?;
    builder.set_issuer_name(issuer)?;
    builder.set_not_before(&*Asn1Time::days_from_now(0)?)?;
    builder.set_not_after(&*Asn1Time::days_from_now(VALID_DAYS)?)?;
    builder.set_pubkey(key)?;
    Ok(builder)
}

fn finish(mut builder: X509Builder, issuer_key: &PKey<Private>) -> Result<X509, ErrorStack> {
    builder.sign(issuer_key, MessageDigest::sha256())?;
    Ok(builder.build())
}
