"""From the files that people have to the schema, the folds and the config that training needs."""
