mod entries;
mod files;
mod forge;
mod heads;
mod instructions;
mod keys;
mod second;
