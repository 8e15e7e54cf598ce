//! Two sets of certificates, made by openssl: a strict one, and one like ApsaraMQ's.

use std::path::Path;

use super::process::run;

/// The password of the key stores.
pub(crate) const STORE_PASSWORD: &str = "changeit";

/// Makes in `directory`:
/// `strict-ca.pem` and `strict.p12`: an X.509 v3 root, a certificate for localhost and 127.0.0.1;
/// `cloud-ca.pem` and `cloud.p12`: an X.509 v1 root, a certificate that names no host;
/// `other-ca.pem`: a root that signed nothing here.
pub(crate) fn make(directory: &Path) {
    let openssl = |arguments: &str| run(directory, "openssl", &arguments.split(' ').collect::<Vec<_>>());
    let extensions = "subjectAltName=DNS:localhost,IP:127.0.0.1\n";
    std::fs::write(directory.join("names.ext"), extensions).expect("the extension file can be written");
    for root in ["strict", "other"] {
        openssl(&format!(
            "req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN={root}-root -keyout {root}-ca.key -out {root}-ca.pem"
        ));
    }
    openssl("req -newkey rsa:2048 -nodes -subj /CN=cloud-root -keyout cloud-ca.key -out cloud-ca.csr");
    openssl("x509 -req -days 30 -in cloud-ca.csr -signkey cloud-ca.key -out cloud-ca.pem");
    for (set, names) in [("strict", " -extfile names.ext"), ("cloud", "")] {
        openssl(&format!(
            "req -newkey rsa:2048 -nodes -subj /CN={set}-broker -keyout {set}.key -out {set}.csr"
        ));
        openssl(&format!(
            "x509 -req -days 30 -in {set}.csr -CA {set}-ca.pem -CAkey {set}-ca.key -CAcreateserial -out {set}.pem{names}"
        ));
        openssl(&format!(
            "pkcs12 -export -in {set}.pem -inkey {set}.key -certfile {set}-ca.pem -name broker -passout pass:{STORE_PASSWORD} -out {set}.p12"
        ));
    }
    let root = std::fs::read(directory.join("cloud-ca.pem")).expect("the root was made");
    let root = openssl::x509::X509::from_pem(&root).expect("the root is a certificate");
    assert_eq!(root.version(), 0, "the root must be X.509 v1, as ApsaraMQ's is");
}
