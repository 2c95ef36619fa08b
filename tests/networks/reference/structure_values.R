# Reference values of plneval.networks: Gower distances by cluster::daisy, digraph measures by sna.
# Rscript structure_values.R writes structure_values.json beside it. Packages: cluster 2.1.4, sna 2.7.1 (R 4.2).
library(cluster)
suppressMessages(library(sna))

schools <- data.frame(
  phase = factor(c("primary", "primary", "junior", "infant", NA, "junior")),
  urban = factor(c("yes", "no", "no", "yes", "yes", NA)),
  enrolment = c(210, 180, 420, NA, 305, 90),
  deprivation = c(12.5, 30.1, 22.4, 18.0, NA, 41.9),
  constant = c(1, 1, 1, 1, 1, 1)
)
gower <- as.matrix(daisy(schools, metric = "gower"))

# From, to; nine people in three schools; 9 has no tie.
edges <- rbind(
  c(1, 2), c(2, 1), c(1, 3), c(3, 4), c(4, 3), c(2, 4), c(4, 5), c(5, 6), c(6, 4), c(6, 7), c(7, 8), c(8, 6),
  c(3, 1), c(5, 1), c(2, 5), c(8, 2)
)
school <- c(1, 1, 1, 2, 2, 2, 3, 3, 3)
graph <- matrix(0, 9, 9)
graph[edges] <- 1
broker <- brokerage(graph, school)

number <- function(x) paste(formatC(x, digits = 17, format = "g"), collapse = ", ")
rows <- function(m) paste(apply(m, 1, function(r) paste0("[", number(r), "]")), collapse = ",\n    ")
text <- c(
  "{",
  paste0('  "gower": [\n    ', rows(gower), "\n  ],"),
  paste0('  "density": ', number(gden(graph)), ","),
  paste0('  "reciprocity": ', number(grecip(graph, measure = "edgewise")), ","),
  paste0('  "indegree_centralisation": ', number(centralization(graph, degree, mode = "digraph", cmode = "indegree")), ","),
  paste0('  "outdegree_centralisation": ', number(centralization(graph, degree, mode = "digraph", cmode = "outdegree")), ","),
  paste0('  "betweenness_centralisation": ', number(centralization(graph, betweenness, mode = "digraph")), ","),
  paste0('  "brokerage_columns": ["', paste(colnames(broker$raw.nli), collapse = '", "'), '"],'),
  paste0('  "brokerage": [\n    ', rows(broker$raw.nli), "\n  ]"),
  "}"
)
writeLines(text, "structure_values.json")
