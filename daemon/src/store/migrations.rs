//! The schema's history, built into the program: forward only, checksummed, the same numbers and names for both databases.
use sqlx::{
    SqlSafeStr,
    migrate::{Migration, MigrationType, Migrator},
};

/// Number, name, and the text for each database.
macro_rules! migrations {
    ($engine:literal: $(($number:literal, $name:literal)),+ $(,)?) => {
        Migrator::with_migrations(vec![$(Migration::new(
            $number,
            $name.into(),
            MigrationType::Simple,
            include_str!(concat!("../../../migrations/", $engine, "/", $name, ".sql")).into_sql_str(),
            false,
        )),+])
    };
}

/// For SQLite.
pub(super) fn sqlite() -> Migrator {
    migrations!("sqlite": (1, "0001_spine"), (2, "0002_platform"), (3, "0003_size"), (4, "0004_entries"), (5, "0005_pipeline"), (6, "0006_people"), (7, "0007_cohorts"), (8, "0008_undo"), (9, "0009_requests"), (10, "0010_adoption"), (11, "0011_sweeps"), (12, "0012_restored"))
}

/// For PostgreSQL.
pub(super) fn postgres() -> Migrator {
    migrations!("postgres": (1, "0001_spine"), (2, "0002_platform"), (3, "0003_size"), (4, "0004_entries"), (5, "0005_pipeline"), (6, "0006_people"), (7, "0007_cohorts"), (8, "0008_undo"), (9, "0009_requests"), (10, "0010_adoption"), (11, "0011_sweeps"), (12, "0012_restored"))
}
