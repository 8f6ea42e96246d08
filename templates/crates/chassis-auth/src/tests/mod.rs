mod issuer;
mod jwks;

use std::time::Duration;

use axum::body::Body;
use axum::middleware::from_fn_with_state;
use axum::routing::get;
use axum::{Extension, Router};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;

const KEY: &str = "0123456789abcdef0123456789abcdef";
const SERVICE: Identity = Identity {
    name: "probe",
    version: "0.0.0",
    env_prefix: "PROBE",
};

fn auth() -> Auth {
    Auth {
        issuer: "issuer".to_owned(),
        audience: "probe".to_owned(),
        leeway_s: 0,
        key: Some(KEY.into()),
        key_file: None,
        jwks: Jwks {
            url: None,
            algorithms: vec![Algorithm::ES256, Algorithm::EdDSA],
            refresh: Duration::from_secs(60),
            min_refresh: Duration::from_millis(200),
            timeout: Duration::from_secs(5),
            ca_file: None,
            allow_http: false,
        },
    }
}

/// Claims that are right, but for one; `null` takes it away.
fn claims(but: (&str, Value)) -> Value {
    let mut claims = json!({
        "sub": "someone", "iss": "issuer", "aud": "probe", "exp": u32::MAX, "nbf": 0,
    });
    claims[but.0] = but.1;
    let kept = claims.as_object().unwrap().clone().into_iter();
    kept.filter(|(_, value)| !value.is_null()).collect()
}

/// Claims that are wrong in one place or odd, and why they are refused.
fn variants() -> Vec<(Value, Option<&'static str>)> {
    let invalid = Some("the token is not valid");
    let variants = [
        ("sub", json!("someone"), None),
        ("aud", json!(["another", "probe"]), None),
        ("nbf", Value::Null, None),
        ("exp", json!(1), Some("the token has expired")),
        ("nbf", json!(u32::MAX), Some("the token is not valid yet")),
        ("aud", json!("x"), Some("the token is for another audience")),
        ("iss", json!("x"), Some("the token is from another issuer")),
        ("sub", Value::Null, invalid),
        ("aud", Value::Null, invalid),
        ("iss", Value::Null, invalid),
        ("exp", Value::Null, invalid),
        ("exp", json!("later"), invalid),
        ("nbf", json!("later"), invalid),
    ];
    variants
        .map(|(claim, value, refused)| (claims((claim, value)), refused))
        .into()
}

fn sub(verified: Result<Claims, Refusal>) -> Result<String, Refusal> {
    verified.map(|claims| claims.sub)
}

fn expected(refused: Option<&'static str>) -> Result<String, Refusal> {
    refused.map_or(Ok("someone".to_owned()), |reason| {
        Err(Refusal::Invalid(reason))
    })
}

async fn ask(verifier: &Verifier, token: &str) -> Result<Claims, Refusal> {
    let header = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
    verifier.verify(Some(&header)).await
}

async fn verified(token: &str) -> Result<Claims, Refusal> {
    ask(&Verifier::new(&SERVICE, &auth()).unwrap(), token).await
}

/// Whatever the routes behind it demand.
#[tokio::test]
async fn nobody_gets_past_without_a_token_that_is_accepted() {
    let verifier = Verifier::new(&SERVICE, &auth()).unwrap();
    let inside = get(async |Extension(claims): Extension<Claims>| claims.sub);
    let routes = Router::new().route("/", inside);
    let routes = routes.route_layer(from_fn_with_state(verifier, require));
    let right = sign(&claims(("nbf", Value::Null)), &KEY.into()).unwrap();
    let late = sign(&claims(("exp", json!(1))), &KEY.into()).unwrap();
    for (token, status) in [(None, 401), (Some(late), 401), (Some(right), 200)] {
        let mut request = Request::new(Body::empty());
        if let Some(token) = token {
            let bearer = format!("Bearer {token}").parse().unwrap();
            request.headers_mut().insert(header::AUTHORIZATION, bearer);
        }
        let answer = routes.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), status);
    }
}

#[tokio::test]
async fn only_a_token_that_is_right_in_every_claim_is_accepted() {
    for (claims, refused) in variants() {
        let token = sign(&claims, &KEY.into()).unwrap();
        assert_eq!(sub(verified(&token).await), expected(refused), "{claims}");
    }
    let right = claims(("nbf", json!(0)));
    let forged = sign(&right, &"another key of enough bytes, 32+".into()).unwrap();
    assert_eq!(verified(&forged).await, Err(INVALID));
}

#[tokio::test]
async fn a_token_does_not_choose_its_algorithm() {
    let token = sign(&claims(("nbf", json!(0))), &KEY.into()).unwrap();
    let (_, rest) = token.split_once('.').unwrap();
    let (payload, _) = rest.split_once('.').unwrap();
    let unknown = INVALID;
    let refused = Refusal::Invalid("the token's algorithm is not accepted");
    for (header, refusal) in [
        (json!({ "alg": "none" }), &unknown),
        (json!({ "alg": "HS512" }), &refused),
        (json!({ "alg": "RS256" }), &refused),
        (json!({ "alg": "HS256", "crit": ["exp"] }), &unknown),
    ] {
        let header = issuer::encoded(&header);
        for token in [format!("{header}.{payload}."), format!("{header}.{rest}")] {
            assert_eq!(verified(&token).await.as_ref(), Err(refusal), "{token}");
        }
    }
}

#[tokio::test]
async fn scopes_come_in_each_form_that_issuers_write() {
    for (claim, allowed) in [
        (("scope", json!("items:read items:write")), true),
        (("scp", json!(["items:read", "items:write"])), true),
        (("permissions", json!(["items:write"])), true),
        (("scope", json!("items:write:all items")), false),
        (("scp", json!({ "items:write": true })), false),
        (("scope", Value::Null), false),
    ] {
        let claims = claims(claim);
        let token = sign(&claims, &KEY.into()).unwrap();
        let found = verified(&token).await.unwrap();
        assert_eq!(found.allows("items:write"), allowed, "{claims}");
    }
}

fn refusal(auth: &Auth) -> String {
    let refused = Verifier::new(&SERVICE, auth).err();
    refused.expect("it does not start").to_string()
}

#[test]
fn without_a_good_key_nothing_starts() {
    for (key, expected) in [
        (None, "dev-token"),
        (Some("short"), "has 5 bytes; 32 are the least"),
    ] {
        let key = key.map(Into::into);
        let refused = refusal(&Auth { key, ..auth() });
        assert!(refused.contains(expected), "{refused}");
    }
}

#[tokio::test]
async fn a_development_token_is_accepted_with_the_key_it_made() {
    let file = std::env::temp_dir().join(format!("chassis-dev-key-{}", std::process::id()));
    let token = dev_token(&auth(), &file, "items:read").unwrap();
    let again = dev_token(&auth(), &file, "items:read");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let auth = Auth {
        key: None,
        key_file: Some(file.clone()),
        ..auth()
    };
    let verifier = Verifier::new(&SERVICE, &auth).unwrap();
    std::fs::remove_file(&file).unwrap();
    for token in [token, again.unwrap()] {
        let claims = ask(&verifier, &token).await.unwrap();
        assert_eq!(claims.sub, "developer");
        assert!(claims.allows("items:read") && !claims.allows("items:write"));
    }
}
