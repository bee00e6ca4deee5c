mod entries;
mod files;
mod forge;
mod heads;
mod keys;
