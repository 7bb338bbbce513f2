//! The marketplace of a rehearsal: creators with earnings, and the accounts at Stripe that hold the money of exactly these.
//!
//! Made from a seed, or read from a CSV as `payout earnings import` takes it.
use anyhow::{Context, bail};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};
use stripe_twin::{AccountSpec, BankSpec, Creator, Sale};

/// Days from a sale until its money is available at Stripe.
const MATURES_AFTER_MS: i64 = 2 * 86_400_000;

const COLUMNS: [&str; 9] = [
    "creator_id",
    "stripe_account_id",
    "country",
    "currency",
    "gross_minor",
    "fee_minor",
    "earned_at",
    "source_id",
    "available_on",
];

/// How much there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Different creators.
    pub creators: usize,
    /// Their earnings.
    pub earnings: usize,
}

/// Makes creators and writes both files.
///
/// # Errors
/// When a file can't be written.
pub fn make(seed: u64, creators: u32, now_ms: i64, earnings: &Path, accounts: &Path) -> anyhow::Result<Size> {
    let count = usize::try_from(creators).context("the number of creators")?;
    let mut made = stripe_twin::spread(seed, count, now_ms);
    for creator in &mut made {
        keep_pending(creator, now_ms);
    }
    write_earnings(&made, earnings).with_context(|| format!("writing {}", earnings.display()))?;
    let specs: Vec<&AccountSpec> = made.iter().map(|creator| &creator.account).collect();
    write_accounts(&specs, accounts)?;
    Ok(Size { creators: made.len(), earnings: made.iter().map(|creator| creator.sales.len()).sum() })
}

/// What isn't mature by the file is pending at Stripe; an account that is short there has its own.
fn keep_pending(creator: &mut Creator, now_ms: i64) {
    let account = &mut creator.account;
    if !account.pending.is_empty() {
        return;
    }
    let immature = creator.sales.iter().filter(|sale| sale.earned_at_ms + MATURES_AFTER_MS > now_ms);
    let minor: i64 = immature.map(Sale::net_minor).sum();
    if minor > 0 {
        *account.available.entry(account.currency.clone()).or_default() -= minor;
        account.pending.insert(account.currency.clone(), minor);
    }
}

fn write_earnings(creators: &[Creator], path: &Path) -> anyhow::Result<()> {
    let mut csv = csv::Writer::from_path(path)?;
    csv.write_record(COLUMNS)?;
    for creator in creators {
        for sale in &creator.sales {
            csv.write_record([
                &creator.creator_id,
                &creator.account.id,
                &creator.account.country,
                &creator.account.currency,
                &sale.gross_minor.to_string(),
                &sale.fee_minor.to_string(),
                &rfc_3339(sale.earned_at_ms)?,
                &sale.charge_id,
                &rfc_3339(sale.earned_at_ms + MATURES_AFTER_MS)?,
            ])?;
        }
    }
    csv.flush()?;
    Ok(())
}

fn rfc_3339(at_ms: i64) -> anyhow::Result<String> {
    Ok(jiff::Timestamp::from_millisecond(at_ms)?.to_string())
}

fn write_accounts(specs: &[&AccountSpec], path: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(path).with_context(|| format!("writing {}", path.display()))?;
    serde_json::to_writer(std::io::BufWriter::new(file), specs).with_context(|| format!("writing {}", path.display()))
}

/// Reads a CSV of earnings and writes accounts that hold its nets, pending where the file says so. What is wrong with the file in other ways is for the import
/// to say.
///
/// # Errors
/// When the file can't be read, or a row lacks what an account is made from.
pub fn accounts_for(earnings: &Path, now_ms: i64, accounts: &Path) -> anyhow::Result<Size> {
    let mut csv = csv::Reader::from_path(earnings).with_context(|| format!("reading {}", earnings.display()))?;
    let headers = csv.headers().with_context(|| format!("reading {}", earnings.display()))?.clone();
    let column = |name: &str| {
        let found = headers.iter().position(|header| header.trim() == name);
        found.with_context(|| format!("{}: no column {name}", earnings.display()))
    };
    let [creator, account, country, currency, gross, fee] = [
        column("creator_id")?,
        column("stripe_account_id")?,
        column("country")?,
        column("currency")?,
        column("gross_minor")?,
        column("fee_minor")?,
    ];
    let available_on = column("available_on").ok();
    let mut specs: BTreeMap<String, AccountSpec> = BTreeMap::new();
    let mut creators = BTreeSet::new();
    let mut size = Size { creators: 0, earnings: 0 };
    for (row, record) in csv.records().enumerate() {
        let at = || format!("{}: line {}", earnings.display(), row + 2);
        let record = record.with_context(at)?;
        let field = |index: usize| record.get(index).map(str::trim).unwrap_or_default();
        let minor = |index: usize| field(index).parse::<i64>().with_context(|| format!("{}: {:?}", at(), field(index)));
        let net = minor(gross)?.checked_sub(minor(fee)?).with_context(at)?;
        if field(account).is_empty() || field(currency).is_empty() {
            bail!("{}: no account or no currency", at());
        }
        let id = field(account).to_owned();
        let spec = specs.entry(id).or_insert_with_key(|id| bare_account(id, field(country), field(currency)));
        let matures: Option<jiff::Timestamp> = available_on.and_then(|index| field(index).parse().ok());
        let is_pending = matures.is_some_and(|at| at.as_millisecond() > now_ms);
        spec.available.entry(field(currency).to_owned()).or_default();
        let sums = if is_pending { &mut spec.pending } else { &mut spec.available };
        let sum = sums.entry(field(currency).to_owned()).or_default();
        *sum = sum.checked_add(net).with_context(at)?;
        creators.insert(field(creator).to_owned());
        size.earnings += 1;
    }
    for spec in specs.values_mut() {
        let bank = |currency: &String| BankSpec { currency: Some(currency.clone()), ..BankSpec::default() };
        spec.banks = Some(spec.available.keys().map(bank).collect());
    }
    size.creators = creators.len();
    write_accounts(&specs.values().collect::<Vec<_>>(), accounts)?;
    Ok(size)
}

fn bare_account(id: &str, country: &str, currency: &str) -> AccountSpec {
    AccountSpec { available: BTreeMap::new(), ..AccountSpec::new(id, country, currency, 0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_hold_exactly_what_was_earned() {
        let dir = tempfile::tempdir().unwrap();
        let (earnings, made, read) = (dir.path().join("e.csv"), dir.path().join("a.json"), dir.path().join("b.json"));
        let size = make(7, 50, 1_800_000_000_000, &earnings, &made).unwrap();
        assert_eq!(accounts_for(&earnings, 1_800_000_000_000, &read).unwrap(), size);
        let sums = |path: &Path| -> BTreeMap<String, i64> {
            let specs: Vec<AccountSpec> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            let sum = |spec: &AccountSpec| spec.available.values().chain(spec.pending.values()).sum::<i64>();
            specs.iter().map(|spec| (spec.id.clone(), sum(spec))).collect()
        };
        assert_eq!(sums(&made), sums(&read));
        assert_eq!(size.creators, 50);
        let pending = |path: &Path| -> BTreeMap<String, i64> {
            let specs: Vec<AccountSpec> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            specs.iter().map(|spec| (spec.id.clone(), spec.pending.values().sum())).collect()
        };
        let (of_seed, of_file) = (pending(&made), pending(&read));
        assert!(of_file.values().any(|minor| *minor > 0));
        // An account that is short has a third of everything pending, whatever the file says.
        let same = of_seed.iter().filter(|(id, minor)| of_file[*id] == **minor).count();
        assert!(same >= 45, "what the file says is not mature is pending: {same} of 50");
    }

    #[test]
    fn a_row_without_an_amount_is_named_by_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let (earnings, accounts) = (dir.path().join("e.csv"), dir.path().join("a.json"));
        let header = "creator_id,stripe_account_id,country,currency,gross_minor,fee_minor,earned_at,source_id";
        let text = format!("{header}\nc,acct_1,US,usd,100,10,x,ch_1\nc,acct_1,US,usd,one,10,x,ch_2\n");
        std::fs::write(&earnings, text).unwrap();
        let refused = format!("{:#}", accounts_for(&earnings, 0, &accounts).unwrap_err());
        assert!(refused.contains("line 3") && refused.contains("one"), "{refused}");
    }
}
