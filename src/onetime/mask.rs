//! How the service obscures the address of a recipient.
//!
//! Owns: the forms of both recorded versions, to recognise a share by its recipient.
//! Must not: be used as proof: many addresses share one form.
//!
//! v1-share-recipient.json: v0.23 writes `da*****@e*****.com`, v0.26 lowercases and
//! writes `da***@e***.com`, keeping the public suffix (`da***@m***.co.uk`).

/// The forms in which the service may show the address, each once.
///
/// - v0.23: at most one, and none when v0.23 does not mail to the address as a whole:
///   it picks what it takes for addresses out of the text, so a TLD of five letters
///   gives no mail, and a recipient mask that is not among the forms means that the
///   mail went to another address.
/// - v0.26: one for every suffix of the domain, as the service's list of public
///   suffixes is not known here.
pub fn mask_forms(address: &str) -> Vec<String> {
    let Some((local, domain)) = address.rsplit_once('@') else {
        return Vec::new();
    };
    if local.is_empty() || domain.is_empty() {
        return Vec::new();
    }
    let mut forms: Vec<String> = v023(local, domain).into_iter().collect();
    for form in v026(&local.to_lowercase(), &domain.to_lowercase()) {
        if !forms.contains(&form) {
            forms.push(form);
        }
    }
    forms
}

/// A class of addresses: two addresses that have a form in common are in the same
/// class. For serialising attempts that could be mistaken for each other.
pub fn mask_class(address: &str) -> String {
    let address = address.to_lowercase();
    let (local, domain) = address.rsplit_once('@').unwrap_or((&address, ""));
    let mut head: String = local.chars().take(1).collect();
    // v0.23 shows a second character only when it is a letter or digit.
    head.extend(local.chars().nth(1).filter(char::is_ascii_alphanumeric));
    let first: String = domain.chars().take(1).collect();
    let last = domain.rsplit('.').next().unwrap_or_default();
    format!("{head}@{first}.{last}")
}

/// Whose address a recipient as the service tells it can be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskOf {
    /// A form of this address.
    This,
    /// A known form, of another address.
    Another,
    /// In no known form: it can be anybody's.
    Anybody,
}

/// Judges a recipient as the service tells it, for an address with these forms.
pub fn mask_of(told: &str, forms: &[String]) -> MaskOf {
    if forms.iter().any(|form| form == told) {
        return MaskOf::This;
    }
    let known = told.rsplit_once('@').is_some_and(|(local, domain)| {
        // Too short to be obscured, or obscured as one of the recorded versions does it.
        let plain = !told.contains('*') && mask_forms(told).iter().any(|form| form == told);
        plain || is_v023(local, domain) || is_v026(local, domain)
    });
    if known { MaskOf::Another } else { MaskOf::Anybody }
}

/// A recipient as the service tells it, for people: an address that the service does not obscure is obscured here, and what
/// is no address at all is left out.
pub fn obscured(told: &str) -> String {
    match told.rsplit_once('@') {
        _ if told.contains('*') => told.to_owned(),
        Some((local, domain)) => v026(local, domain)
            .into_iter()
            .next()
            .unwrap_or_else(|| format!("{}@{}", keep_head(local, 2), keep_head(domain, 1))),
        None => "…".to_owned(),
    }
}

/// As [`v023`] makes it.
fn is_v023(local: &str, domain: &str) -> bool {
    let Some((host, tld)) = domain.rsplit_once('.') else {
        return false;
    };
    let starred = |text: &str| {
        text.strip_suffix("*****")
            .is_some_and(|head| !head.is_empty() && !head.contains('*'))
    };
    let host_fits = starred(host) && host.chars().count() == 6;
    starred(local)
        && host_fits
        && (2..=4).contains(&tld.len())
        && tld.bytes().all(|b| b.is_ascii_alphabetic())
}

/// As [`v026`] makes it: heads of two characters and of one, the rest as three stars if there is a rest.
fn is_v026(local: &str, domain: &str) -> bool {
    let kept = |text: &str, count: usize| match text.strip_suffix("***") {
        Some(head) => head.chars().count() == count && !head.contains('*'),
        None => (1..=count).contains(&text.chars().count()) && !text.contains('*'),
    };
    let Some((host, suffix)) = domain.split_once('.') else {
        return false;
    };
    kept(local, 2) && kept(host, 1) && !suffix.is_empty() && !suffix.contains('*')
}

/// Whether v0.23 takes the whole text for one address and mails to it. It finds
/// `[A-Z0-9._%+-]+@[A-Z0-9.-]+\.[A-Z]{2,4}` anywhere in the text, at word boundaries.
fn is_whole_address(local: &str, domain: &str) -> bool {
    let in_local = |b: u8| b.is_ascii_alphanumeric() || b"._%+-".contains(&b);
    let in_domain = |b: u8| b.is_ascii_alphanumeric() || b".-".contains(&b);
    let starts = local
        .bytes()
        .next()
        .is_some_and(|b| b.is_ascii_alphanumeric() || b == b'_');
    let Some((host, tld)) = domain.rsplit_once('.') else {
        return false;
    };
    let tld_fits = (2..=4).contains(&tld.len()) && tld.bytes().all(|b| b.is_ascii_alphabetic());
    starts && local.bytes().all(in_local) && !host.is_empty() && host.bytes().all(in_domain) && tld_fits
}

fn v023(local: &str, domain: &str) -> Option<String> {
    if !is_whole_address(local, domain) {
        return None;
    }
    // All of it is ASCII from here on.
    let bytes = local.as_bytes();
    let in_word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    let obscured = |b: u8| b.is_ascii_alphanumeric() || b"._%-".contains(&b);
    let start = (0..bytes.len()).find(|&at| {
        let boundary = at == 0 || !in_word(bytes[at - 1]);
        boundary && bytes[at].is_ascii_alphanumeric() && bytes[at..].iter().all(|&b| obscured(b))
    });
    let (host, tld) = domain.rsplit_once('.')?;
    let host_fits = host.len() >= 2 && host.as_bytes()[0].is_ascii_alphanumeric();
    let Some(start) = start.filter(|_| host_fits) else {
        // Nothing that v0.23 knows how to obscure: shown as it is.
        return Some(format!("{local}@{domain}"));
    };
    let second = bytes.get(start + 1).is_some_and(u8::is_ascii_alphanumeric);
    let shown = &local[..start + 1 + usize::from(second)];
    Some(format!("{shown}*****@{}*****.{tld}", &host[..1]))
}

fn v026(local: &str, domain: &str) -> Vec<String> {
    let local = keep_head(local, 2);
    let dots = domain.match_indices('.').map(|(at, _)| at);
    // The shortest suffix first: it is the public one for most domains.
    let mut forms: Vec<String> = dots
        .map(|at| format!("{local}@{}.{}", keep_head(&domain[..at], 1), &domain[at + 1..]))
        .collect();
    forms.reverse();
    forms
}

fn keep_head(text: &str, count: usize) -> String {
    if text.chars().count() <= count {
        return text.to_owned();
    }
    text.chars().take(count).chain("***".chars()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every address of v1-share-recipient.json with its form on v0.23 and v0.26.
    const RECORDED: [(&str, Option<&str>, Option<&str>); 9] = [
        (
            "dave@example.com",
            Some("da*****@e*****.com"),
            Some("da***@e***.com"),
        ),
        (
            "dave.o-x+tag@mail.example.co.uk",
            Some("dave.o-x+ta*****@m*****.uk"),
            Some("da***@m***.co.uk"),
        ),
        ("dave@example.cloud", None, Some("da***@e***.cloud")),
        ("dave@museum.travel", None, Some("da***@m***.travel")),
        (
            "DAVE@Example.COM",
            Some("DA*****@E*****.COM"),
            Some("da***@e***.com"),
        ),
        ("dave@bücher.example", None, Some("da***@b***.example")),
        (
            "a..b@example.com",
            Some("a*****@e*****.com"),
            Some("a.***@e***.com"),
        ),
        ("dave@localhost", None, None),
        ("not-an-address", None, None),
    ];

    #[test]
    fn recorded_forms() {
        for (address, old, new) in RECORDED {
            let forms = mask_forms(address);
            for want in [old, new].into_iter().flatten() {
                assert!(
                    forms.iter().any(|form| form == want),
                    "{address}: {want} not in {forms:?}"
                );
            }
            if old.is_none() {
                assert!(
                    !forms.iter().any(|form| form.contains("*****")),
                    "{address}: {forms:?}"
                );
            }
        }
        assert_eq!(
            mask_forms("dave@example.com"),
            ["da*****@e*****.com", "da***@e***.com"]
        );
    }

    #[test]
    fn mail_that_v023_sends_elsewhere_is_not_ours() {
        // v0.23 would find brien@example.com and dave@corp.io in these.
        assert_eq!(mask_forms("o'brien@example.com"), ["o'***@e***.com"]);
        assert!(
            !mask_forms("dave@corp.io.example")
                .iter()
                .any(|form| form.contains("*****"))
        );
    }

    #[test]
    fn a_told_recipient_is_ours_anothers_or_anybodys() {
        let address = "alice@example.com";
        let forms = mask_forms(address);
        for (told, want) in [
            ("al*****@e*****.com", MaskOf::This),
            ("al***@e***.com", MaskOf::This),
            ("bo*****@e*****.com", MaskOf::Another),
            ("bo***@e***.com", MaskOf::Another),
            ("al***@o***.example", MaskOf::Another),
            ("b@e***.com", MaskOf::Another),
            ("ab@x.com", MaskOf::Another),
            // Nobody has recorded these.
            (address, MaskOf::Anybody),
            ("a***@e***.com", MaskOf::Anybody),
            ("al**@e**.com", MaskOf::Anybody),
            ("bo****@e****.com", MaskOf::Anybody),
            ("a…e@example.com", MaskOf::Anybody),
            ("brien@example.org", MaskOf::Anybody),
            ("a***e@example.com", MaskOf::Anybody),
            ("al***", MaskOf::Anybody),
            ("[hidden]", MaskOf::Anybody),
            ("***", MaskOf::Anybody),
        ] {
            assert_eq!(mask_of(told, &forms), want, "{told}");
        }
        for (address, old, new) in RECORDED {
            for told in [old, new].into_iter().flatten() {
                assert_eq!(mask_of(told, &mask_forms(address)), MaskOf::This);
                assert_eq!(mask_of(told, &forms), MaskOf::Another, "{told}");
            }
        }
    }

    #[test]
    fn nobody_sees_an_address_in_full() {
        for (told, shown) in [
            ("al*****@e*****.com", "al*****@e*****.com"),
            ("alice@example.com", "al***@e***.com"),
            ("alice@mail.example.co.uk", "al***@m***.uk"),
            ("alice@localhost", "al***@l***"),
            ("a secret value", "…"),
        ] {
            assert_eq!(obscured(told), shown);
        }
    }

    #[test]
    fn short_parts() {
        assert_eq!(mask_forms("a@example.org"), ["a*****@e*****.org", "a@e***.org"]);
        assert_eq!(mask_forms("ab@x.com"), ["ab@x.com"]);
        assert_eq!(mask_forms("@x.com"), Vec::<String>::new());
    }

    #[test]
    fn a_common_form_means_a_common_class() {
        let addresses = [
            "dave@example.com",
            "dan@example.com",
            "DAVE@Example.COM",
            "da@e.com",
            "d@example.com",
            "a..b@example.com",
            "a.b@example.com",
            "a-b@example.com",
            "ab@example.com",
            "a@example.com",
            "dave.o-x+tag@mail.example.co.uk",
            "dave.o-x+tab@mail.uk",
            "dax@m1.co.uk",
            "dave@mail.uk",
            "_a@example.com",
            "_ab@example.com",
            "x+ta@main.com",
            "x+tb@main.com",
            "dave@bücher.example",
        ];
        for one in addresses {
            for other in addresses {
                let common = mask_forms(one)
                    .iter()
                    .any(|form| mask_forms(other).contains(form));
                assert!(!common || mask_class(one) == mask_class(other), "{one} {other}");
            }
        }
    }
}
