/// Drugs, with what RDKit 2022.09.3 computes for them in Python.
#pragma once
#include <string>
#include <vector>

namespace drugs {

/// Canonical SMILES of marketed and experimental drugs.
inline const std::vector<std::string> kSmiles =
    {
        "CCN1CCN(Cc2ccc(Nc3ncc(F)c(-c4cc(F)c5nc(C)n(C(C)C)c5c4)n3)nc2)CC1",  // Abemaciclib
        "CN(C)c1nc(N(C)C)nc(N(C)C)n1",                                       // Altretamine
        "COC1/C=C\\C=C(/C)C(=O)NC2=CC(=O)C(NCCN(C)C)=C(CC(C)CC(OC)C(O)C(C)/"
        "C=C(\\C)C1OC(N)=O)C2=O.Cl",                                         // Alvespimycin
        "CC(=O)Nc1ccc(OCC(C)(O)C(=O)Nc2ccc([N+](=O)[O-])c(C(F)(F)F)c2)cc1",  // Andarine
        "CCN(CCO)CCCOc1ccc2c(Nc3cc(CC(=O)Nc4cccc(F)c4)n[nH]3)ncnc2c1",       // Barasertib
        "CS(=O)(=O)OCCCCOS(C)(=O)=O",                                        // Busulfan
        "CCCCCOC(=O)Nc1nc(=O)n(C2OC(C)C(O)C2O)cc1F",                         // Capecitabine
        "CCCCCCNC(=O)n1cc(F)c(=O)[nH]c1=O",                                  // Carmofur
        "Cc1ccc(-c2cc(C(F)(F)F)nn2-c2ccc(S(N)(=O)=O)cc2)cc1",                // Celecoxib
        "CCS(=O)(=O)N1CCN(c2ccc(Nc3ncc(C(N)=O)c(NC4CC4)n3)cc2)CC1.Cl",       // Cerdulatinib
        "O=C(O)CCCc1ccc(N(CCCl)CCCl)cc1",                                    // Chlorambucil
        "CNC(=NC#N)NCCSCc1nc[nH]c1C",                                        // Cimetidine
        "Cc1cn([C@H]2O[C@@H](CO)[C@H](O)[C@H]2F)c(=O)[nH]c1=O",              // Clevudine
        "CC(Oc1cc(-c2cnn(C3CCNCC3)c2)cnc1N)c1c(Cl)ccc(F)c1Cl",               // Crizotinib
        "COc1cc(/C=C/C(=O)/C=C(O)/C=C/c2ccc(O)c(OC)c2)ccc1O",                // Curcumin
        "Cl.N=c1ccn2c(n1)OC1C(O)C(CO)OC12",                                  // Cyclocytidine
        "Nc1ccn([C@@H]2O[C@H](CO)[C@@H](O)[C@@H]2O)c(=O)n1",                 // Cytarabine
        "CCCC(CCC)C(=O)O.CCCC(CCC)C(=O)[O-].[Na+]",                          // Divalproex
        "CCN(CC)C(=O)/C(C#N)=C/c1cc(O)c(O)c([N+](=O)[O-])c1",                // Entacapone
        "Cc1cnc(Nc2ccc(OCCN3CCCC3)cc2)nc1Nc1cccc(S(=O)(=O)NC(C)(C)C)c1",     // Fedratinib
        "N#Cc1ccnc(N2C(=O)CCC2C(=O)N(c2cncc(F)c2)C(C(=O)NC2CC(F)(F)C2)c2ccccc2Cl)c1",  // Ivosidenib
        "Cc1ccc(F)c(NC(=O)Nc2ccc(-c3cccc4[nH]nc(N)c34)cc2)c1",                         // Linifanib
        "CC1CC2C3CCC4=CC(=O)C=CC4(C)C3C(=O)CC2(C)C1(O)C(=O)CO",                    // Meprednisone
        "S=c1nc[nH]c2nc[nH]c12",                                                   // Mercaptopurine
        "Cc1cn(-c2cc(NC(=O)c3ccc(C)c(Nc4nccc(-c5cccnc5)n4)c3)cc(C(F)(F)F)c2)cn1",  // Nilotinib
        "CC1COc2c(N3CCN(C)CC3)c(F)cc3c(=O)c(C(=O)O)cn1c23",                        // Ofloxacin
        "Cc1[nH]c2ccccc2c1CCNCc1ccc(/C=C/C(=O)NO)cc1",                             // Panobinostat
        "C/C(=C\\c1csc(C)n1)C1CC2OC2(C)CCCC(C)C(O)C(C)C(=O)C(C)(C)C(O)CC(=O)O1",   // Patupilone
        "CCOc1cc2ncc(C#N)c(Nc3ccc(F)c(Cl)c3)c2cc1NC(=O)/C=C/CN(C)C",               // Pelitinib
        "CCCCc1nc2cc(/C=C/C(=O)NO)ccc2n1CCN(CC)CC",                                // Pracinostat
        "CC12C=CC(=O)C=C1CCC1C2C(=O)CC2(C)C1CCC2(O)C(=O)CO",                       // Prednisone
        "Cl.Cl.Cn1cc(CNCC2CCN(c3ncc(C(=O)NO)cn3)CC2)c2ccccc21",                    // Quisinostat
        "Cc1nc2ccc(CN(C)c3ccc(C(=O)NC(CCC(=O)O)C(=O)O)s3)cc2c(=O)[nH]1",           // Raltitrexed
        "CN(C)C(=O)c1cc2cnc(Nc3ccc(N4CCNCC4)cn3)nc2n1C1CCCC1",                     // Ribociclib
        "COc1cc(OC)c(/C=C/S(=O)(=O)Cc2ccc(OC)c(NCC(=O)[O-])c2)c(OC)c1.[Na+]",      // Rigosertib
        "Cc1nc(C(=O)NCC(=O)O)c(O)c2ccc(Oc3ccccc3)cc12",                            // Roxadustat
        "N#CC[C@H](C1CCCC1)n1cc(-c2ncnc3[nH]ccc23)cn1",                            // Ruxolitinib
        "NC(=O)C1CCCc2c1[nH]c1ccc(Cl)cc21",                                        // Selisistat
        "CN[C@@H]1C[C@H]2O[C@@](C)([C@@H]1OC)n1c3ccccc3c3c4c(c5c6ccccc6n2c5c31)C(=O)NC4",  // Staurosporine
        "CC(=O)Nc1ccc(C(=O)Nc2ccccc2N)cc1",  // Tacedinaline
        "C=CCNC1=C2CC(C)CC(OC)C(O)C(C)/C=C(\\C)C(OC(N)=O)C(OC)/C=C\\C=C(/C)C(=O)NC(=CC1=O)C2=O",  // Tanespimycin
        "S=P(N1CC1)(N1CC1)N1CC1",                                                      // Thiotepa
        "CN(C)CCOc1ccc(/C(=C(/CCCl)c2ccccc2)c2ccccc2)cc1.O=C(O)CC(O)(CC(=O)O)C(=O)O",  // Toremifene
        "CC(=O)Nc1cccc(-n2c(=O)n(C3CC3)c(=O)c3c(Nc4ccc(I)cc4F)n(C)c(=O)c(C)c32)c1",    // Trametinib
        "*.Cl.N[C@@H]1C[C@H]1c1ccccc1",                      // Tranylcypromine
        "Nc1ccc(F)cc1NC(=O)c1ccc(CNC(=O)/C=C/c2cccnc2)cc1",  // Tucidinostat
        "COc1cc2c(Nc3ccc(Br)cc3F)ncnc2cc1OCC1CCN(C)CC1",     // Vandetanib
        "CC(c1cc2ccccc2s1)N(O)C(N)=O",                       // Zileuton
};

/// Columns of `values`.
inline const std::vector<std::string> kDescriptors = {
    "MolWt",
    "ExactMolWt",
    "NumValenceElectrons",
    "MaxPartialCharge",
    "FpDensityMorgan2",
    "MinEStateIndex",
    "BalabanJ",
    "Chi0",
    "Chi1n",
    "Chi4v",
    "HallKierAlpha",
    "Kappa3",
    "LabuteASA",
    "PEOE_VSA7",
    "SMR_VSA10",
    "SlogP_VSA2",
    "TPSA",
    "EState_VSA5",
    "VSA_EState2",
    "FractionCSP3",
    "NHOHCount",
    "NumHAcceptors",
    "NumRotatableBonds",
    "NumSaturatedHeterocycles",
    "RingCount",
    "MolLogP",
    "MolMR",
};

struct Reference {
  std::string smiles;
  std::vector<double> values;  ///< six digits
  std::vector<int> morgan;     ///< bits that are 1: radius 2, 1024 bits
};

inline const std::vector<Reference> kReferences = {
    // Trametinib
    {"CC(=O)Nc1cccc(-n2c(=O)n(C3CC3)c(=O)c3c(Nc4ccc(I)cc4F)n(C)c(=O)c(C)c32)c1",
     {615.403, 615.078,  190,     0.335874, 1.81081, -0.580812, 1.90415, 26.5931, 11.591,
      4.95279, -3.74,    4.36541, 223.238,  78.7545, 56.5936,   19.6085, 107.13,  39.8054,
      52.5723, 0.230769, 2,       8,        5,       0,         5,       3.94012, 148.757},
     {15,  25,  33,  64,  71,  121, 122, 128, 172, 184, 191, 200,  244,  245, 252, 270, 301,
      303, 314, 338, 356, 414, 416, 417, 421, 459, 470, 475, 491,  504,  530, 564, 570, 592,
      595, 621, 649, 650, 661, 683, 698, 699, 703, 726, 771, 792,  801,  807, 816, 832, 849,
      870, 875, 886, 891, 893, 904, 926, 935, 947, 960, 969, 1017, 1019, 1022}},
    // Staurosporine
    {"CN[C@@H]1C[C@H]2O[C@@](C)([C@@H]1OC)n1c3ccccc3c3c4c(c5c6ccccc6n2c5c31)C(=O)NC4",
     {466.541, 466.2,    176,     0.252133, 1.77143, -0.759892, 1.72291, 23.6371, 12.2531,
      7.33429, -3.39,    2.12402, 201.117,  31.6676, 49.5189,   41.3447, 69.45,   0,
      13.3221, 0.321429, 2,       6,        2,       1,         8,       4.354,   135.648},
     {4,   33,  36,  45,  46,  64,  90,  128, 158, 175, 244, 250, 261, 264, 267, 268,
      281, 289, 314, 322, 333, 355, 356, 361, 362, 379, 406, 416, 447, 468, 521, 549,
      577, 620, 621, 633, 644, 650, 656, 677, 678, 689, 695, 702, 720, 723, 726, 796,
      841, 842, 849, 895, 926, 935, 937, 950, 960, 967, 983, 996, 1019}},
    // Thiotepa
    {"S=P(N1CC1)(N1CC1)N1CC1",
     {189.224, 189.049, 62,      0.14536, 1,       -1.26852, 1.8804,  7.47469, 4.17994,
      5.82697, 0.53,    1.01091, 72.1145, 11.8069, 18.2968,  53.2798, 9.03,    39.2685,
      0,       1,       0,       1,       3,       3,        3,       0.1577,  49.004},
     {56, 97, 192, 318, 456, 566, 616, 705, 783, 926, 935}},
    // Toremifene
    {"CN(C)CCOc1ccc(/C(=C(/CCCl)c2ccccc2)c2ccccc2)cc1.O=C(O)CC(O)(CC(=O)O)C(=O)O",
     {598.092, 597.213, 224,     0.336419, 1.2381,  -2.73843, 4.01105e-07, 31.1227, 13.138,
      4.23441, -4.18,   11.0049, 249.809,  60.4855, 40.6551,  81.962,      144.6,   27.8366,
      32.5987, 0.28125, 4,       6,        14,      0,        3,           4.9665,  161.719},
     {2,   10,  13,  33,  37,  38,  64,  80,  85,  102, 113, 114, 139, 175, 232, 271, 274,
      322, 356, 361, 389, 428, 432, 434, 540, 571, 650, 652, 659, 673, 693, 695, 713, 718,
      726, 804, 807, 815, 849, 852, 880, 881, 884, 893, 899, 927, 953, 956, 961}},
    // Crizotinib
    {"CC(Oc1cc(-c2cnn(C3CCNCC3)c2)cnc1N)c1c(Cl)ccc(F)c1Cl",
     {450.345, 449.119,  158,     0.165692, 2,      -0.627304, 1.58354, 21.2503, 9.74554,
      4.30816, -2.35,    4.23701, 183.697,  51.054, 29.0197,   27.854,  77.99,   12.1327,
      4.25206, 0.333333, 3,       6,        5,      1,         4,       5.0377,  116.474},
     {1,   32,  33,  43,  44,  59,  90,  125, 130, 136, 147, 155, 194, 216,  226,
      283, 284, 301, 305, 350, 356, 366, 378, 409, 428, 433, 435, 463, 464,  477,
      492, 511, 538, 561, 589, 602, 606, 638, 659, 664, 666, 695, 699, 712,  726,
      816, 835, 845, 849, 858, 873, 875, 886, 904, 926, 935, 946, 965, 1011, 1019}},
};

}  // namespace drugs
