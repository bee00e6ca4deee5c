mod entries;
mod files;
mod forge;
mod forged;
mod heads;
mod instructions;
mod keys;
mod second;
