//! Roles: the table as the go-live checklist has it, cell by cell.
use payout_shared::roles::{Action, Role, RoleGroups, Roles, allows};
use std::collections::BTreeMap;

/// Columns: viewer, support, operator, approver, admin.
const TABLE: [(Action, [u8; 5]); 14] = [
    (Action::Read, [1, 1, 1, 1, 1]),
    (Action::CreatorDetails, [0, 1, 1, 0, 1]),
    (Action::Hold, [0, 1, 1, 0, 1]),
    (Action::Start, [0, 0, 1, 0, 1]),
    (Action::Pause, [0, 0, 1, 0, 1]),
    (Action::Resume, [0, 0, 1, 0, 1]),
    (Action::Arm, [0, 0, 1, 0, 1]),
    (Action::Import, [0, 0, 1, 0, 1]),
    (Action::Correct, [0, 0, 1, 0, 1]),
    (Action::Rollout, [0, 0, 1, 0, 1]),
    (Action::OverrideGate, [0, 0, 0, 0, 1]),
    (Action::Approve, [0, 0, 0, 1, 1]),
    (Action::SetPolicy, [0, 0, 0, 0, 1]),
    (Action::Ask, [0, 0, 1, 0, 1]),
];

fn groups(pairs: &[(Role, &str)]) -> RoleGroups {
    RoleGroups::new(pairs.iter().map(|(role, group)| (*role, (*group).to_owned())).collect())
}

#[test]
fn each_role_has_exactly_its_powers() {
    assert_eq!(TABLE.map(|(action, _)| action), Action::ALL, "every action has its row");
    for (action, row) in TABLE {
        for (role, cell) in Role::ALL.into_iter().zip(row) {
            assert_eq!(allows(role, action), cell == 1, "{role:?} {action:?}");
        }
    }
}

#[test]
fn no_role_may_nothing_and_several_add_up() {
    assert!(Action::ALL.into_iter().all(|action| !Roles::default().allow(action)));
    assert!(Action::ALL.into_iter().all(|action| Roles::admin().allow(action)));
    let both = Roles::from_iter([Role::Operator, Role::Approver]);
    assert!(both.allow(Action::Pause) && both.allow(Action::Approve));
    assert!(!Roles::from_iter([Role::Operator]).allow(Action::Approve), "a run and its approval are two roles");
}

#[test]
fn roles_are_said_without_what_another_one_includes_and_read_again() {
    for (roles, said) in [
        (vec![Role::Viewer, Role::Support, Role::Operator], "operator"),
        (vec![Role::Support, Role::Approver], "support+approver"),
        (vec![Role::Viewer, Role::Approver], "approver"),
        (Role::ALL.to_vec(), "admin"),
    ] {
        let roles: Roles = roles.into_iter().collect();
        assert_eq!(roles.to_string(), said);
        let again = Roles::parse(said).unwrap();
        assert!(Action::ALL.into_iter().all(|action| again.allow(action) == roles.allow(action)), "{said}");
    }
    assert_eq!(Roles::default().to_string(), "");
    assert_eq!((Roles::parse(""), Roles::parse("emperor"), Roles::parse("viewer+emperor")), (None, None, None));
}

#[test]
fn groups_give_roles_and_a_group_may_give_two() {
    let groups = groups(&[(Role::Viewer, "pay-view"), (Role::Operator, "pay-ops"), (Role::Approver, "pay-ops")]);
    let of = |names: &[&str]| groups.roles_of(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
    assert_eq!(of(&["users", "pay-view"]), Roles::from_iter([Role::Viewer]));
    assert_eq!(of(&["pay-ops"]).to_string(), "operator+approver");
    assert_eq!(of(&["users", "PAY-OPS", ""]), Roles::default());
    assert_eq!(groups.names().into_iter().collect::<Vec<_>>(), ["pay-ops", "pay-view"]);
    assert!(RoleGroups::new(BTreeMap::new()).is_empty() && !groups.is_empty());
}

#[test]
fn a_refusal_names_who_what_the_roles_and_the_groups_that_give_them() {
    let groups = groups(&[(Role::Viewer, "pay-view"), (Role::Operator, "pay-ops")]);
    let viewer = Roles::from_iter([Role::Viewer]);
    assert_eq!(
        groups.refusal("ann(1000)", &viewer, Action::Pause),
        "ann(1000) is viewer; to pause the role operator or admin is needed (group pay-ops gives operator)"
    );
    assert_eq!(
        groups.refusal("bob(1001)", &Roles::default(), Action::Approve),
        "bob(1001) has no role; to approve the role approver or admin is needed \
         (no group gives it: only root and the daemon's own user may)"
    );
}
