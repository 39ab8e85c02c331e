//! A small model of API server and watches: whatever happens in whichever order, the store has what the watches told.

use super::*;
use futures::FutureExt;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::Status;
use kube::runtime::{WatchStreamExt, reflector};
use proptest::prelude::*;
use std::collections::BTreeMap;

/// The names of objects, and which write of them it is.
type Objects = BTreeMap<String, usize>;

/// One namespace: what there is, and what its watch has told.
struct Place {
    namespace: String,
    watch: UnboundedSender<Result<Event<ConfigMap>>>,
    there: Objects,
    told: Objects,
    /// Whether it need not be waited for.
    done: bool,
    listed: bool,
    /// Whether changes reach the watch just now.
    connected: bool,
}

impl Place {
    fn send(&self, event: Result<Event<ConfigMap>>) {
        self.watch.unbounded_send(event).expect("the watch is read");
    }

    fn object(&self, name: &str, write: usize) -> ConfigMap {
        serde_json::from_value(serde_json::json!({
            "metadata": {"namespace": self.namespace, "name": name, "resourceVersion": write.to_string()},
        }))
        .expect("a ConfigMap")
    }

    fn put(&mut self, name: &str, write: usize) {
        self.there.insert(name.to_owned(), write);
        if self.connected {
            self.send(Ok(Event::Apply(self.object(name, write))));
            self.told.insert(name.to_owned(), write);
        }
    }

    fn remove(&mut self, name: &str) {
        let removed = self.there.remove(name);
        if let Some(write) = removed.filter(|_| self.connected) {
            self.send(Ok(Event::Delete(self.object(name, write))));
            self.told.remove(name);
        }
    }

    fn list(&mut self) {
        self.send(Ok(Event::Init));
        for (name, write) in &self.there {
            self.send(Ok(Event::InitApply(self.object(name, *write))));
        }
        self.send(Ok(Event::InitDone));
        self.told = self.there.clone();
        (self.connected, self.listed, self.done) = (true, true, true);
    }

    /// A list that breaks off after its first page says only what is there.
    fn list_in_part(&mut self) {
        self.send(Ok(Event::Init));
        for (name, write) in self.there.iter().take(2) {
            self.send(Ok(Event::InitApply(self.object(name, *write))));
            if self.done {
                self.told.insert(name.clone(), *write);
            }
        }
        self.send(Err(failed(500)));
        self.connected = false;
    }

    fn refuse(&mut self) {
        self.send(Ok(Event::Init));
        self.send(Err(failed(403)));
        (self.connected, self.done) = (false, true);
    }
}

fn failed(code: u16) -> Error {
    let status = Status::failure("a failure of the test", "Test").with_code(code);
    Error::InitialListFailed(kube::Error::Api(status.boxed()))
}

/// Namespaces, their watches merged, and the store that is filled so.
struct Field {
    places: Vec<Place>,
    events: BoxStream<'static, Result<Event<ConfigMap>>>,
    store: Store<ConfigMap>,
    unlisted: Unlisted,
    /// How often the store was told of a list's begin and end.
    lists: (usize, usize),
}

impl Field {
    fn new(namespaces: &[&str]) -> Self {
        let unlisted = Unlisted::default();
        let (store, writer) = reflector::store();
        let mut watches = Vec::new();
        let place = |namespace: &&str| {
            let (watch, events) = unbounded();
            watches.push(Watch::new(namespace, events));
            Place {
                namespace: (*namespace).to_owned(),
                watch,
                there: Objects::new(),
                told: Objects::new(),
                done: false,
                listed: false,
                connected: false,
            }
        };
        let places = namespaces.iter().map(place).collect();
        let events = merged(watches, store.clone(), unlisted.clone());
        Self {
            places,
            events: events.reflect(writer).boxed(),
            store,
            unlisted,
            lists: (0, 0),
        }
    }

    /// Reads what has come, and compares.
    fn check(&mut self) {
        while let Some(event) = self.events.next().now_or_never() {
            match event.expect("watches do not end").expect("no error goes further") {
                Event::Init => self.lists.0 += 1,
                Event::InitDone => self.lists.1 += 1,
                Event::InitApply(_) | Event::Apply(_) | Event::Delete(_) => {}
            }
        }
        let ready = self.store.wait_until_ready().now_or_never().is_some();
        let found: BTreeMap<_, _> = self
            .store
            .state()
            .iter()
            .map(|object| (key(object), object.resource_version().expect("a version")))
            .collect();
        if self.places.iter().all(|place| place.done) {
            assert!(ready, "nobody is waited for");
            assert_eq!(self.lists, (1, 1));
            assert_eq!(found, self.told());
            for place in &self.places {
                assert_eq!(self.unlisted.contains(&place.namespace), !place.listed);
            }
        } else {
            assert!(!ready && found.is_empty(), "somebody is waited for");
        }
    }

    fn told(&self) -> BTreeMap<(String, String), String> {
        let told = self.places.iter().flat_map(|place| {
            let object = |(name, write): (&String, &usize)| {
                ((place.namespace.clone(), name.clone()), write.to_string())
            };
            place.told.iter().map(object)
        });
        told.collect()
    }
}

fn key(object: &ConfigMap) -> (String, String) {
    (object.namespace().unwrap_or_default(), object.name_any())
}

#[derive(Clone, Copy, Debug)]
enum Happening {
    Put(usize, &'static str),
    Remove(usize, &'static str),
    List(usize),
    ListInPart(usize),
    Refuse(usize),
    /// What changes from now on is only seen by the next list.
    Cut(usize),
}

/// The same names in all namespaces: what vanished from one must stay in the others.
const NAMES: [&str; 4] = ["a", "b", "c", "d"];
const NAMESPACES: [&str; 3] = ["one", "three", "two"];

fn happening() -> impl Strategy<Value = Happening> {
    let name = || prop::sample::select(&NAMES[..]);
    let place = 0..NAMESPACES.len();
    prop_oneof![
        4 => (place.clone(), name()).prop_map(|(place, name)| Happening::Put(place, name)),
        3 => (place.clone(), name()).prop_map(|(place, name)| Happening::Remove(place, name)),
        3 => place.clone().prop_map(Happening::List),
        1 => place.clone().prop_map(Happening::ListInPart),
        1 => place.clone().prop_map(Happening::Refuse),
        2 => place.prop_map(Happening::Cut),
    ]
}

fn happen(field: &mut Field, write: usize, happening: Happening) {
    let places = &mut field.places;
    match happening {
        Happening::Put(at, name) => places[at].put(name, write),
        Happening::Remove(at, name) => places[at].remove(name),
        Happening::List(at) => places[at].list(),
        Happening::ListInPart(at) => places[at].list_in_part(),
        Happening::Refuse(at) => places[at].refuse(),
        Happening::Cut(at) => places[at].connected = false,
    }
}

proptest! {
    #[test]
    fn the_store_is_the_union(happenings in prop::collection::vec(happening(), 0..60)) {
        let mut field = Field::new(&NAMESPACES);
        field.check();
        for (write, happening) in happenings.into_iter().enumerate() {
            happen(&mut field, write, happening);
            field.check();
        }
        field.places.iter_mut().for_each(Place::list);
        field.check();
        for place in &field.places {
            prop_assert_eq!(&place.told, &place.there);
        }
    }
}

#[test]
fn all_are_waited_for_and_their_changes_with_them() {
    let mut field = Field::new(&["one", "two"]);
    field.places[0].put("a", 1);
    field.places[0].list();
    field.check();
    // In a store that is being filled this would be an object that comes back.
    field.places[0].remove("a");
    field.check();
    field.places[1].put("a", 2);
    field.places[1].list();
    field.check();
    assert_eq!(field.store.state().len(), 1);
}

#[test]
fn a_later_list_takes_nothing_from_others() {
    let mut field = Field::new(&["one", "two"]);
    for place in &mut field.places {
        place.put("kept", 1);
        place.put("lost", 2);
        place.list();
    }
    field.check();
    field.places[0].connected = false;
    field.places[0].remove("lost");
    field.places[0].list();
    field.check();
    let mut found: Vec<_> = field.store.state().iter().map(|object| key(object)).collect();
    found.sort();
    let wanted = [("one", "kept"), ("two", "kept"), ("two", "lost")];
    assert_eq!(
        found,
        wanted.map(|(namespace, name)| (namespace.into(), name.into()))
    );
}

#[test]
fn a_refused_namespace_keeps_nobody_waiting() {
    let mut field = Field::new(&["one", "two"]);
    field.places[0].put("a", 1);
    field.places[0].list();
    field.places[1].put("b", 2);
    field.places[1].refuse();
    field.check();
    assert_eq!(field.store.state().len(), 1);
    assert!(field.unlisted.contains("two"));
    field.places[1].refuse();
    field.check();
    field.places[1].list();
    field.check();
    assert_eq!(field.store.state().len(), 2);
    assert!(!field.unlisted.contains("two"));
    // What was known stays known when a right is taken away later.
    field.places[1].refuse();
    field.check();
    assert_eq!(field.store.state().len(), 2);
    assert!(!field.unlisted.contains("two"));
}
