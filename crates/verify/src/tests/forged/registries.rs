//! Texts of registries that are not valid, or may not follow the one before, and the key versions that they make.

use sluis_ledger::audit::Act;
use sluis_ledger::instruction::Task;
use sluis_ledger::registry::{Registry, Treatment};

use super::{Case, refuse_each};
use crate::tests::forge::{
    Forge, KEY_A, KEY_B, KEY_NOTE, KeyUse, base, beginning, encrypted, key, made,
};
use crate::tests::keys::{expire, instructed};
use crate::tests::second;

/// What is done to the text of the first registry, and what both say of it.
type Text = (&'static str, fn(&Forge, String) -> String, &'static str);

/// A chain that has nothing wrong yet.
const CHAIN: &str = "[[chain]]\nid = \"c\"\nowner = \"uni\"\nsources = [\"uni\"]\n";
const KEEP: &str = "[[chain.element]]\nname = \"x\"\ntreatment = \"keep\"\n";

fn element(text: &str, rest: &str) -> String {
    format!("{text}{CHAIN}{KEEP}[[chain.element]]\nname = \"y\"\n{rest}\n")
}

#[test]
fn a_registry_that_is_not_valid_is_found_with_its_place() {
    let cases: [Text; 32] = [
        (
            "two stewards share a key",
            |log, text| {
                let (one, two) = (log.person("uni/s1").key(), log.person("uni/s2").key());
                text.replace(&two.to_string(), &one.to_string())
            },
            "key[uni/s2].public_key",
        ),
        (
            "a steward and a custodian share a key",
            |log, text| {
                let (one, two) = (log.person("uni/s1").key(), log.person("c/anna").key());
                text.replace(&one.to_string(), &two.to_string())
            },
            "key[uni/s1]",
        ),
        (
            "a custodian is a steward",
            |log, text| {
                let key = Key(log);
                text.replacen("id = \"clinic\"", "id = \"c\"", 1)
                    .replace("\"clinic\"", "\"c\"")
                    .replace("[\"etl\", \"s4\", \"s5\"]", "[\"etl\", \"anna\", \"s5\"]")
                    .replace("[\"s4\", \"s5\"]", "[\"anna\", \"s5\"]")
                    .replace(
                        &key.of("clinic/s4"),
                        &key.of("clinic/s4").replace("clinic/s4", "c/anna"),
                    )
                    .replace("clinic/s5", "c/s5")
            },
            "organisation[c].stewards",
        ),
        ("no toml", |_, text| text + "[[", "not valid TOML"),
        (
            "a table that there is not",
            |_, text| text + "[[people]]\nid = \"x\"\n",
            "people",
        ),
        (
            "a key that there is not",
            |_, text| text.replacen("name = \"U\"", "name = \"U\"\nphone = \"1\"", 1),
            "organisation[uni].phone",
        ),
        (
            "an organisation without a name",
            |_, text| text.replacen("name = \"U\"\n", "", 1),
            "organisation[uni].name",
        ),
        (
            "a name of two lines",
            |_, text| text.replacen("name = \"U\"", "name = \"U\\nV\"", 1),
            "organisation[uni].name",
        ),
        (
            "a steward without a key",
            |log, text| text.replacen(&Key(log).of("uni/s3"), "", 1),
            "organisation[uni].stewards",
        ),
        (
            "a key of no steward",
            |_, text| text.replacen("[\"s1\", \"s2\", \"s3\"]\n[[", "[\"s1\", \"s2\"]\n[[", 1),
            "key[uni/s3].member",
        ),
        (
            "a key that is none",
            |log, text| text.replacen(&log.person("uni/s1").key().to_string(), "AAAA", 1),
            "key[uni/s1].public_key",
        ),
        (
            "a steward who is no member",
            |_, text| text.replacen("members = [\"etl\", \"s1\", ", "members = [\"etl\", ", 1),
            "organisation[uni].stewards",
        ),
        (
            "an owner with one steward",
            |log, text| {
                text.replacen("[\"s4\", \"s5\"]\n[[", "[\"s4\"]\n[[", 1)
                    .replacen(&Key(log).of("clinic/s5"), "", 1)
            },
            "chain[b].owner",
        ),
        (
            "an id with capitals",
            |_, text| text.replacen("id = \"b\"", "id = \"B\"", 1),
            ".id",
        ),
        (
            "a chain twice",
            |_, text| format!("{text}{CHAIN}{KEEP}{CHAIN}{KEEP}"),
            "chain[c].id",
        ),
        (
            "a chain without elements",
            |_, text| format!("{text}{CHAIN}"),
            "chain[c].element",
        ),
        (
            "a chain without sources",
            |_, text| text.replacen("sources = [\"clinic\"]", "sources = []", 1),
            "chain[a].sources",
        ),
        (
            "a source that there is not",
            |_, text| text.replacen("sources = [\"clinic\"]", "sources = [\"x\"]", 1),
            "chain[a].sources",
        ),
        (
            "one approval is enough",
            |_, text| {
                text.replacen(
                    "owner = \"uni\"",
                    "owner = \"uni\"\nreidentify_approvals = 1",
                    1,
                )
            },
            "chain[a].reidentify_approvals",
        ),
        (
            "more approvals than stewards",
            |_, text| {
                text.replacen(
                    "owner = \"uni\"",
                    "owner = \"uni\"\nreidentify_approvals = 4",
                    1,
                )
            },
            "chain[a].owner",
        ),
        (
            "a retention of nothing",
            |_, text| text.replacen("\"10y\"", "\"0y\"", 1),
            "chain[b].retention",
        ),
        (
            "an unknown link",
            |_, text| text.replacen("link = \"escrow\"", "link = \"any\"", 1),
            "chain[a].namespace[n].link",
        ),
        (
            "reversible without escrow",
            |_, text| text.replacen("link = \"escrow\"", "link = \"inbound\"", 1),
            "chain[a].namespace[n].reversible",
        ),
        (
            "reversible with carried links",
            |_, text| text.replacen("link = \"escrow\"", "link = \"carried\"", 1),
            "chain[a].namespace[n].reversible",
        ),
        (
            "a quota that limits nothing",
            |_, text| text + "[[chain.quota]]\nsource = \"clinic\"\n",
            "chain[b].quota[clinic]",
        ),
        (
            "a quota of no source",
            |_, text| text + "[[chain.quota]]\nsource = \"uni\"\nsubjects_per_day = 1\n",
            "chain[b].quota[uni].source",
        ),
        (
            "an identifier kind that there is not",
            |_, text| text.replacen("\"opaque\"", "\"name\"", 1),
            "namespace[n].identifier",
        ),
        (
            "an element of a namespace that the chain has not",
            |_, text| element(&text, "treatment = \"pseudonym\"\nnamespace = \"n\""),
            "chain[c].element[y].namespace",
        ),
        (
            "a parameter of another treatment",
            |_, text| element(&text, "treatment = \"encrypt\"\nwidth = 3"),
            "chain[c].element[y].width",
        ),
        (
            "a date shift of no subject",
            |_, text| {
                element(
                    &text,
                    "treatment = \"date-shift\"\nsubject = \"x\"\nmax_days = 3",
                )
            },
            "chain[c].element[y].subject",
        ),
        (
            "a band of no width",
            |_, text| {
                element(
                    &text,
                    "treatment = \"generalise\"\nto = \"band\"\nwidth = 0",
                )
            },
            "chain[c].element[y].width",
        ),
        (
            "a placeholder that is no date",
            |_, text| {
                element(
                    &text,
                    "treatment = \"generalise\"\nto = \"year\"\nplaceholders = [\"2023-02-29\"]",
                )
            },
            "chain[c].element[y].placeholders",
        ),
    ];
    for (what, change, place) in cases {
        let mut log = beginning();
        let text = change(&log, log.registry("\"uni\""));
        log.enact("p-1", text, Vec::new());
        second::refuse_saying(what, &log, place);
    }
}

/// The table of someone's key in the registry of the story.
struct Key<'a>(&'a Forge);

impl Key<'_> {
    fn of(&self, name: &str) -> String {
        let key = self.0.person(name).key();
        format!("[[key]]\nmember = \"{name}\"\npublic_key = \"{key}\"\n")
    }
}

fn change(log: &mut Forge, from: &str, to: &str, made: Vec<KeyUse>) {
    let before = log.registries[log.registries.len() - 1].clone();
    let text = before.replacen(from, to, 1);
    assert_ne!(before, text, "{from}");
    log.enact("p-20", text, made);
}

/// The text of chain `b`, the last of the registry.
fn chain_b(log: &Forge) -> String {
    let text = &log.registries[log.registries.len() - 1];
    text[text.find("[[chain]]\nid = \"b\"").expect("it is there")..].to_owned()
}

const LINE: &str = "[[chain.namespace]]\nid = \"n\"\nlink = \"escrow\"\nreversible = true\n";
const ID: &str = "[[chain.element]]\nname = \"id\"\ntreatment = \"pseudonym\"\nnamespace = \"n\"\n";

#[test]
fn what_is_fixed_for_life_stays() {
    let cases: [Case; 5] = [
        (
            "a chain goes that was not destroyed",
            |log| {
                let gone = chain_b(log);
                change(log, &gone, "", Vec::new());
            },
            "chain[b]: a chain cannot be removed",
        ),
        (
            "a namespace of a chain goes",
            |log| change(log, &format!("{LINE}{ID}"), "", Vec::new()),
            "chain[a].namespace[n]",
        ),
        (
            "a namespace has another identifier",
            |log| change(log, "\"opaque\"", "\"text\"", Vec::new()),
            "namespace[n].identifier",
        ),
        (
            "a namespace has another input",
            |log| {
                let text = log.registries[2].replace("reversible = true", "reversible = false");
                log.enact("p-19", text, vec![key(7, 0), made("b", key(8, 0))]);
                change(log, "\"plain\"", "\"prehash\"", Vec::new());
            },
            "namespace[n].input",
        ),
        (
            "a destroyed chain comes back",
            |log| {
                expire(log, &[KEY_B]);
                let gone = chain_b(log);
                let text = log.registries[2].replace(&gone, "");
                log.enact("p-18", text.clone(), Vec::new());
                log.enact("p-19", format!("{text}{gone}"), vec![made("b", key(7, 0))]);
            },
            "chain[b]: was destroyed and stays so",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn a_registry_makes_a_version_for_each_new_line_and_no_other() {
    let cases: [Case; 8] = [
        (
            "a registry makes a version in another chain",
            |log| log.cut_at(Act::ApplyRegistry, 0).keys[0] = made("b", key(KEY_A, 0)),
            "a key version for each new key line",
        ),
        (
            "a registry makes a version of a line that is not new",
            |log| change(log, "name = \"U\"", "name = \"V\"", vec![key(7, 0)]),
            "a key version for each new key line",
        ),
        (
            "a registry makes no version of a new line",
            |log| {
                let text = format!("{}{KEEP}", log.registries[2]);
                let text = text.replace("treatment = \"keep\"", "treatment = \"encrypt\"");
                log.enact("p-19", text, Vec::new());
            },
            "a key version for each new key line",
        ),
        (
            "a line that no longer keeps an escrow has no new version",
            |log| {
                let other = LINE.replace("escrow", "none").replace("true", "false");
                change(log, LINE, &other, Vec::new());
            },
            "a key version for each new key line",
        ),
        (
            "a line that nothing led out of keeps an escrow without a new version",
            |log| {
                let other = LINE.replace("escrow", "none").replace("true", "false");
                change(log, LINE, &other, vec![key(7, 0)]);
                let text = log.registries[2].clone();
                log.enact("p-21", text, Vec::new());
            },
            "a key version for each new key line",
        ),
        (
            "a registry makes versions in another order",
            |log| {
                let made = vec![key(KEY_A, 0), key(KEY_B, 0), encrypted(KEY_NOTE, 0)];
                log.cut_at(Act::ApplyRegistry, 0).keys = made;
            },
            "a key version for each new key line",
        ),
        (
            "a destroyed chain gets a version",
            |log| {
                expire(log, &[KEY_B]);
                let text = format!("{}{KEEP}", log.registries[2]);
                let text = text.replace("treatment = \"keep\"", "treatment = \"encrypt\"");
                log.enact("p-19", text, vec![encrypted(7, 0)]);
            },
            "a key version for each new key line",
        ),
        (
            "encrypted elements are rotated where there are none",
            |log| {
                let task = Task::RotateChain {
                    chain: "b".parse().expect("an id"),
                    namespace: None,
                };
                instructed(log, task, vec![key(7, 0), encrypted(8, 0)]);
            },
            "its key version is not",
        ),
    ];
    refuse_each(&cases);
}

#[test]
fn a_line_that_keeps_another_escrow_gets_a_version() {
    let mut log = base();
    let other = LINE.replace("escrow", "none").replace("true", "false");
    change(&mut log, LINE, &other, vec![key(7, 0)]);
    let text = log.registries[2].clone();
    log.enact("p-21", text, vec![key(8, 0)]);
    // A destroyed chain may stay in the registry, or go.
    expire(&mut log, &[KEY_B]);
    let gone = chain_b(&log);
    let text = log.registries[2].replace("name = \"U\"", "name = \"V\"");
    log.enact("p-22", text.clone(), Vec::new());
    log.enact("p-23", text.replace(&gone, ""), Vec::new());
    second::accept("another escrow, and back", &log);
}

/// Everything that a registry can say, as the documentation shows it.
#[test]
fn both_take_the_documented_registry() {
    let text = include_str!("../../../../../docs/samples/registry.toml").to_owned();
    let registry = Registry::parse(&text, &[]).expect("the sample is valid");
    let mut lines = Vec::new();
    for chain in registry.chains() {
        let namespaces = chain.namespaces().map(|line| Some(line.id().clone()));
        lines.extend(namespaces.map(|namespace| (chain.id().clone(), namespace)));
        let mut elements = chain.elements().iter();
        if elements.any(|element| matches!(element.treatment(), Treatment::Encrypt)) {
            lines.push((chain.id().clone(), None));
        }
    }
    let lines = lines.into_iter().zip(1..);
    let made = lines.map(|((chain, namespace), kid)| KeyUse {
        chain: Some(chain),
        namespace,
        ..key(kid, 0)
    });
    let mut log = beginning();
    log.enact("p-1", text, made.collect());
    second::accept("the documented registry", &log);
}
