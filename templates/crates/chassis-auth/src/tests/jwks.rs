use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use tokio::time::sleep;

use super::issuer::{HANGS, Issuer, SigningKey, encoded, text};
use super::*;

const MS: Duration = Duration::from_millis(1);
const UNKNOWN: Refusal = Refusal::Invalid("the token is signed with a key that is not known");

/// Keys and tokens that another implementation made: the file says which.
fn vectors() -> Value {
    serde_json::from_str(include_str!("vectors.json")).unwrap()
}

fn with_issuer(issuer: &Issuer) -> Auth {
    let mut auth = Auth {
        key: None,
        ..auth()
    };
    auth.jwks.url = Some(issuer.url());
    auth
}

fn verifier(issuer: &Issuer) -> Verifier {
    Verifier::new(&SERVICE, &with_issuer(issuer)).unwrap()
}

fn right() -> Value {
    claims(("nbf", json!(0)))
}

#[tokio::test]
async fn tokens_of_another_implementation_are_accepted_in_each_algorithm() {
    let issuer = Issuer::start().await;
    let vectors = vectors();
    issuer.publishes(vectors["keys"].as_array().unwrap());
    let tokens = vectors["tokens"].as_array().unwrap();
    assert_eq!(tokens.len(), 9);
    for token in tokens {
        let algorithm: Algorithm = token["algorithm"].as_str().unwrap().parse().unwrap();
        let mut auth = with_issuer(&issuer);
        auth.jwks.algorithms = vec![algorithm];
        let verifier = Verifier::new(&SERVICE, &auth).unwrap();
        let part = |name: &str| token[name].as_str().unwrap();
        let signed = format!("{}.{}", part("protected"), part("payload"));
        let good = format!("{signed}.{}", part("signature"));
        let found = ask(&verifier, &good).await.unwrap();
        assert!(found.sub == "someone" && found.allows("items:read"));

        let mut signature = URL_SAFE_NO_PAD.decode(part("signature")).unwrap();
        signature[7] ^= 1;
        let changed = format!("{signed}.{}", text(&signature));
        let other = format!("{}.{}", part("protected"), encoded(&right()));
        let moved = format!("{other}.{}", part("signature"));
        for bad in [changed, moved, format!("{signed}.")] {
            assert_eq!(ask(&verifier, &bad).await, Err(INVALID), "{algorithm:?}");
        }

        auth.jwks.algorithms = vec![Algorithm::ES256, Algorithm::RS256];
        if !auth.jwks.algorithms.contains(&algorithm) {
            let others = Verifier::new(&SERVICE, &auth).unwrap();
            let refused = Refusal::Invalid("the token's algorithm is not accepted");
            assert_eq!(ask(&others, &good).await, Err(refused), "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn only_a_token_that_is_right_in_every_claim_is_accepted() {
    let issuer = Issuer::start().await;
    let key = SigningKey::ed25519();
    issuer.publishes(&[key.jwk("one")]);
    let verifier = verifier(&issuer);
    for (claims, refused) in variants() {
        let verified = ask(&verifier, &key.token(Some("one"), &claims)).await;
        assert_eq!(sub(verified), expected(refused), "{claims}");
    }
}

/// Whoever can read the public keys must not be able to sign with them.
#[tokio::test]
async fn a_public_key_is_never_taken_for_a_shared_one() {
    let issuer = Issuer::start().await;
    let vectors = vectors();
    issuer.publishes(vectors["keys"].as_array().unwrap());
    let mut auth = with_issuer(&issuer);
    auth.jwks.algorithms = vec![Algorithm::RS256, Algorithm::ES256];
    let verifier = Verifier::new(&SERVICE, &auth).unwrap();
    let rsa = &vectors["keys"][0];
    let modulus = rsa["n"].as_str().unwrap();
    let keys = [
        URL_SAFE_NO_PAD.decode(modulus).unwrap(),
        modulus.as_bytes().to_vec(),
        rsa.to_string().into_bytes(),
        Vec::new(),
    ];
    for key in keys {
        let header = encoded(&json!({ "alg": "HS256", "kid": "rsa" }));
        let signed = format!("{header}.{}", encoded(&right()));
        let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), signed.as_bytes());
        let token = format!("{signed}.{}", text(tag.as_ref()));
        let refused = Refusal::Invalid("the token's algorithm is not accepted");
        assert_eq!(ask(&verifier, &token).await, Err(refused));
    }
    // Nor is a key taken for one of another kind.
    let other = SigningKey::p256().token(Some("rsa"), &right());
    assert_eq!(ask(&verifier, &other).await, Err(UNKNOWN));
    let none = format!(
        "{}.{}.",
        encoded(&json!({ "alg": "none" })),
        encoded(&right())
    );
    assert_eq!(ask(&verifier, &none).await, Err(INVALID));
    // The last line of defence, below all configuration.
    let public = DecodingKey::from_rsa_components(modulus, "AQAB").unwrap();
    let shared = validation(Algorithm::HS256, &auth);
    let signed = sign(&right(), &modulus.into()).unwrap();
    assert!(jsonwebtoken::decode::<Claims>(&signed, &public, &shared).is_err());
}

#[tokio::test]
async fn only_keys_for_signatures_count_and_unknown_kinds_do_no_harm() {
    let issuer = Issuer::start().await;
    let keys = [SigningKey::p256(), SigningKey::p256(), SigningKey::p256()];
    let mut published: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .zip(&keys)
        .map(|(kid, key)| key.jwk(kid))
        .collect();
    published[1]["use"] = "enc".into();
    published[2]["alg"] = "ES384".into();
    published.push(json!({ "kty": "new", "kid": "d", "z": [1] }));
    published.push(json!({ "kty": "oct", "kid": "e", "k": text(KEY.as_bytes()) }));
    published.push(json!("no key at all"));
    issuer.publishes(&published);
    let verifier = verifier(&issuer);
    for (kid, key, good) in [
        ("a", &keys[0], true),
        ("b", &keys[1], false),
        ("c", &keys[2], false),
    ] {
        let verified = ask(&verifier, &key.token(Some(kid), &right())).await;
        assert_eq!(verified.is_ok(), good, "{kid}");
    }
    // Without a name it is the only one that it can be.
    assert!(ask(&verifier, &keys[0].token(None, &right())).await.is_ok());
    assert_eq!(
        ask(&verifier, &keys[1].token(None, &right())).await,
        Err(INVALID)
    );
}

#[tokio::test]
async fn a_new_key_is_found_when_a_token_names_it() {
    let issuer = Issuer::start().await;
    let (old, new) = (SigningKey::p256(), SigningKey::ed25519());
    issuer.publishes(&[old.jwk("old")]);
    let verifier = verifier(&issuer);
    let (old_token, new_token) = (
        old.token(Some("old"), &right()),
        new.token(Some("new"), &right()),
    );
    assert!(ask(&verifier, &old_token).await.is_ok());
    sleep(250 * MS).await;
    assert_eq!(issuer.reads(), 1, "a known key asks for nothing");

    issuer.publishes(&[old.jwk("old"), new.jwk("new")]);
    assert!(ask(&verifier, &new_token).await.is_ok());
    assert_eq!(issuer.reads(), 2);
    assert!(ask(&verifier, &old_token).await.is_ok());

    // A key that is withdrawn is forgotten with the next read.
    issuer.publishes(&[new.jwk("new")]);
    sleep(250 * MS).await;
    assert_eq!(
        ask(&verifier, &new.token(Some("newer"), &right())).await,
        Err(UNKNOWN)
    );
    assert_eq!(ask(&verifier, &old_token).await, Err(UNKNOWN));
    assert!(ask(&verifier, &new_token).await.is_ok());
}

#[tokio::test]
async fn keys_are_read_again_without_being_asked_for() {
    let issuer = Issuer::start().await;
    let key = SigningKey::p256();
    issuer.publishes(&[key.jwk("one")]);
    let mut auth = with_issuer(&issuer);
    auth.jwks.refresh = 50 * MS;
    auth.jwks.min_refresh = 50 * MS;
    let verifier = Verifier::new(&SERVICE, &auth).unwrap();
    assert!(
        ask(&verifier, &key.token(Some("one"), &right()))
            .await
            .is_ok()
    );
    sleep(300 * MS).await;
    assert!(issuer.reads() >= 3, "{} reads", issuer.reads());
    drop(verifier);
    sleep(100 * MS).await;
    let reads = issuer.reads();
    sleep(200 * MS).await;
    assert_eq!(issuer.reads(), reads, "the reader ends with the verifier");
}

#[tokio::test]
async fn invented_keys_do_not_become_a_load_for_the_issuer() {
    let issuer = Issuer::start().await;
    let (key, forger) = (SigningKey::p256(), SigningKey::p256());
    issuer.publishes(&[key.jwk("one")]);
    let verifier = verifier(&issuer);
    let good = key.token(Some("one"), &right());
    assert!(ask(&verifier, &good).await.is_ok());
    let began = Instant::now();
    let mut forged = 0;
    while began.elapsed() < 700 * MS {
        let tokens: Vec<_> = (0..50)
            .map(|n| forger.token(Some(&format!("{forged}-{n}")), &right()))
            .collect();
        let mut storm = tokio::task::JoinSet::new();
        for token in tokens {
            let verifier = verifier.clone();
            storm.spawn(async move { ask(&verifier, &token).await });
        }
        while let Some(refused) = storm.join_next().await {
            assert_eq!(refused.unwrap(), Err(UNKNOWN));
            forged += 1;
        }
        assert!(ask(&verifier, &good).await.is_ok());
    }
    let most = 1 + began.elapsed().as_millis() as usize / 200;
    assert!(
        issuer.reads() <= 1 + most,
        "{} reads for {forged} tokens",
        issuer.reads()
    );
    assert!(
        issuer.reads() > 1 && forged > 200,
        "{} reads for {forged} tokens",
        issuer.reads()
    );
}

#[tokio::test]
async fn while_the_issuer_is_down_the_last_known_keys_stay() {
    let issuer = Issuer::start().await;
    let (key, new) = (SigningKey::p256(), SigningKey::p256());
    issuer.publishes(&[key.jwk("one")]);
    let mut auth = with_issuer(&issuer);
    auth.jwks.min_refresh = 20 * MS;
    auth.jwks.refresh = 40 * MS;
    auth.jwks.timeout = 400 * MS;
    let verifier = Verifier::new(&SERVICE, &auth).unwrap();
    let (old_token, new_token) = (
        key.token(Some("one"), &right()),
        new.token(Some("new"), &right()),
    );
    assert!(ask(&verifier, &old_token).await.is_ok());
    let rubbish = [
        (503, "down"),
        (200, "<html>"),
        (200, r#"{"keys":[]}"#),
        (302, ""),
        (HANGS, ""),
    ];
    for (status, text) in rubbish {
        issuer.answers(status, text);
        let reads = issuer.reads();
        while issuer.reads() < reads + 2 {
            sleep(5 * MS).await;
        }
        assert!(ask(&verifier, &old_token).await.is_ok(), "{status} {text}");
        let asked = Instant::now();
        assert_eq!(ask(&verifier, &new_token).await, Err(UNKNOWN));
        assert!(
            asked.elapsed() < 200 * MS,
            "nobody waits for an issuer that is down"
        );
        assert!(verifier.check()().await.is_ok());
    }
    issuer.publishes(&[new.jwk("new")]);
    while ask(&verifier, &new_token).await.is_err() {
        sleep(5 * MS).await;
    }
}

#[tokio::test]
async fn a_service_that_starts_before_its_issuer_lets_people_in_later() {
    let issuer = Issuer::start().await;
    let key = SigningKey::p256();
    let verifier = verifier(&issuer);
    let token = key.token(Some("one"), &right());
    assert_eq!(ask(&verifier, &token).await, Err(Refusal::NoKeys));
    assert!(verifier.check()().await.is_err());
    issuer.publishes(&[key.jwk("one")]);
    while ask(&verifier, &token).await.is_err() {
        sleep(5 * MS).await;
    }
    assert!(verifier.check()().await.is_ok());
}

#[tokio::test]
async fn settings_that_would_weaken_it_are_refused_by_name() {
    let with = |change: fn(&mut Jwks)| {
        let mut auth = Auth {
            key: None,
            ..auth()
        };
        auth.jwks.url = Some("https://issuer.example/keys".to_owned());
        change(&mut auth.jwks);
        auth
    };
    let url = |url: &str, allow_http| {
        let mut auth = with(|_| ());
        auth.jwks.url = Some(url.to_owned());
        auth.jwks.allow_http = allow_http;
        auth
    };
    let both = Auth {
        key: Some(KEY.into()),
        ..with(|_| ())
    };
    for (auth, expected) in [
        (both, "are both set"),
        (
            url("http://issuer.example/keys", false),
            "must begin with https://",
        ),
        (
            url("ftp://localhost/keys", true),
            "must begin with https://",
        ),
        (url("/keys", true), "is no URL"),
        (
            with(|jwks| jwks.algorithms.push(Algorithm::HS256)),
            "who can verify can sign",
        ),
        (with(|jwks| jwks.algorithms.clear()), "lists none"),
        (
            with(|jwks| jwks.min_refresh = 90_000 * MS),
            "at most `auth.jwks.refresh_ms`",
        ),
        (
            with(|jwks| jwks.ca_file = Some("missing.crt".into())),
            "missing.crt",
        ),
    ] {
        let refused = refusal(&auth);
        assert!(refused.contains(expected), "{refused}");
    }
    for good in [
        with(|_| ()),
        url("http://issuer.example/keys", true),
        url("http://localhost:8081/keys", false),
        url("http://[::1]/keys", false),
    ] {
        assert!(
            Verifier::new(&SERVICE, &good).is_ok(),
            "{:?}",
            good.jwks.url
        );
    }
}
