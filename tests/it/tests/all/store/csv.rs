//! Files of earnings: everything is checked before the store sees a row.
use crate::databases::START_MS;
use payoutd::{doors::import::parse_csv, store::door_types::EarningRow};

const HEADER: &str = "creator_id,stripe_account_id,country,currency,gross_minor,fee_minor,earned_at,source_id";

fn parse(rows: &str) -> Result<Vec<EarningRow>, Vec<String>> {
    parse_csv(format!("{HEADER}\n{rows}").as_bytes(), START_MS)
        .map_err(|errors| errors.iter().map(ToString::to_string).collect())
}

fn fault(row: &str) -> String {
    parse(row).expect_err(row).join("; ")
}

#[test]
fn a_good_row_is_read_as_it_stands() {
    let rows = parse("c1,acct_1,de,USD,1000,100,2026-11-30T12:00:00+01:00,ch_1\n").unwrap();
    let row = &rows[0];
    assert_eq!((row.line, row.gross_minor, row.fee_minor), (2, 1000, 100));
    assert_eq!((row.country.as_str(), row.currency.as_str()), ("DE", "usd"));
    assert_eq!(row.earned_at_ms, START_MS - 19 * 3_600_000);
    assert_eq!(row.available_on_ms, row.earned_at_ms, "absent: it is payable when it is earned");
}

#[test]
fn columns_may_stand_in_any_order_with_a_byte_order_mark_crlf_and_quotes() {
    let file = "\u{feff}source_id,available_on,currency,country,stripe_account_id,creator_id,fee_minor,gross_minor,earned_at\r\n\
                ch_1,2026-12-05,eur,FR,acct_1,\"a, \"\"b\"\"\",0,7,2026-11-01\r\nch_2,,eur,FR,acct_1,\"a, \"\"b\"\"\",7,7,2026-11-01\r\n";
    let rows = parse_csv(file.as_bytes(), START_MS).unwrap();
    assert_eq!(rows[0].creator.as_str(), "a, \"b\"");
    assert_eq!(rows[0].available_on_ms - rows[0].earned_at_ms, 34 * 86_400_000);
    assert_eq!(rows[1].available_on_ms, rows[1].earned_at_ms);
}

#[test]
fn each_fault_names_its_line_and_column() {
    for (row, line, needs) in [
        (",acct_1,DE,usd,1,0,2026-11-01,ch_1", "line 2, creator_id: empty", ""),
        ("c,acct_1,DE,usd,0,0,2026-11-01,ch_1", "line 2, gross_minor", "from 1 to"),
        ("c,acct_1,DE,usd,-5,0,2026-11-01,ch_1", "line 2, gross_minor", "whole number of minor units"),
        ("c,acct_1,DE,usd,12.50,0,2026-11-01,ch_1", "line 2, gross_minor", "whole number"),
        ("c,acct_1,DE,usd,\"1,000\",0,2026-11-01,ch_1", "line 2, gross_minor", "whole number"),
        ("c,acct_1,DE,usd,1e3,0,2026-11-01,ch_1", "line 2, gross_minor", "whole number"),
        ("c,acct_1,DE,usd,99999999999999999999,0,2026-11-01,ch_1", "line 2, gross_minor", "whole number"),
        ("c,acct_1,DE,usd,1000000000000,0,2026-11-01,ch_1", "line 2, gross_minor", "to 999999999999 is needed"),
        ("c,acct_1,DE,usd,10,11,2026-11-01,ch_1", "line 2, fee_minor", "more than the gross"),
        ("c,acct_1,DE,usd,10,,2026-11-01,ch_1", "line 2, fee_minor", "from 0 to"),
        ("c,acct_1,DEU,usd,10,0,2026-11-01,ch_1", "line 2, country", "two letters"),
        ("c,acct_1,DE,us,10,0,2026-11-01,ch_1", "line 2, currency", "three letters"),
        ("c,acct_1,DE,usd,10,0,01.11.2026,ch_1", "line 2, earned_at", "2026-11-30"),
        ("c,acct_1,DE,usd,10,0,2026-11-31,ch_1", "line 2, earned_at", "not a time"),
        ("c,acct_1,DE,usd,10,0,2026-12-03,ch_1", "line 2, earned_at", "in the future"),
        ("c,acct_1,DE,usd,10,0,,ch_1", "line 2, earned_at", "not a time"),
        ("c,acct_1,DE,usd,10,0,2026-11-01,", "line 2, source_id: empty", ""),
        ("c\u{0}d,acct_1,DE,usd,10,0,2026-11-01,ch_1", "line 2, creator_id", "control character"),
        ("\"c\nd\",acct_1,DE,usd,10,0,2026-11-01,ch_1", "line 2, creator_id", "control character"),
        ("c,acct_1,DE,usd,10,0,2026-11-01", "line 2: 7 fields", "has 8"),
        ("c,acct_1,DE,usd,10,0,2026-11-01,ch_1,x", "line 2: 9 fields", "has 8"),
    ] {
        let told = fault(row);
        assert!(told.starts_with(line) && told.contains(needs), "{row:?} gave {told:?}");
    }
    let long = "x".repeat(256);
    assert!(fault(&format!("c,acct_1,DE,usd,10,0,2026-11-01,{long}")).contains("longer than 255"));
    assert!(parse(&format!("c,acct_1,DE,usd,10,0,2026-11-01,{}", "ü".repeat(255))).is_ok());
}

#[test]
fn all_faults_of_a_file_are_told_at_once_up_to_a_hundred() {
    let errors = parse(
        "c,acct_1,D,usd,x,0,2026-11-01,ch_1\nc,acct_1,DE,usd,1,0,2026-11-01,ch_2\nc,acct_1,DE,us,1,0,2026-11-01,ch_3",
    )
    .unwrap_err();
    assert_eq!(errors.len(), 3);
    assert!(errors[2].starts_with("line 4"));
    assert_eq!(parse(&"c,acct_1,DE,us,1,0,2026-11-01,ch\n".repeat(500)).unwrap_err().len(), 100);
}

#[test]
fn a_header_that_lacks_or_doubles_or_misspells_a_column_is_refused_by_name() {
    let told = |file: &str| {
        parse_csv(file.as_bytes(), START_MS).unwrap_err().iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    };
    assert!(told("").contains("empty"));
    assert!(told(&HEADER.replace(",fee_minor", "")).contains("line 1, fee_minor: this column is missing"));
    assert!(told(&HEADER.replace("fee_minor", "gross_minor")).contains("gross_minor stands there twice"));
    assert!(told(&HEADER.replace("fee_minor", "fee")).contains("\"fee\" is no column"));
    assert!(told(&HEADER.replace("fee_minor", "Fee_Minor")).contains("\"Fee_Minor\" is no column"));
}

#[test]
fn a_charge_that_stands_twice_is_known_with_the_same_values_and_refused_with_others() {
    let row = "c,acct_1,DE,usd,10,0,2026-11-01,ch_1\n";
    assert_eq!(parse(&row.repeat(2)).unwrap().len(), 2);
    let told = fault(&format!("{row}{row}{}", row.replace(",10,", ",11,")));
    assert_eq!(told, "line 4, source_id: charge ch_1 stands in line 2 with other values");
}

#[test]
fn what_is_not_utf8_is_named_and_a_header_alone_is_an_empty_import() {
    let file = [HEADER.as_bytes(), b"\nc,acct_1,DE,usd,10,0,2026-11-01,ch_\xff\n"].concat();
    let errors = parse_csv(&file, START_MS).unwrap_err();
    assert!(errors[0].to_string().contains("line 2: not UTF-8"), "{}", errors[0]);
    assert_eq!(parse("").unwrap(), []);
}
